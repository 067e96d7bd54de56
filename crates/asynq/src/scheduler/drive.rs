//! The steps of a drive: does what the engine says.

use std::task::Context;

use asynq_engine::{Step, TaskId, Until};
use slotmap::Key;

use super::calls_in_place::Apart;
use super::state::Scheduler;
use super::waker::TaskWaker;
use crate::error::TaskError;
use crate::recording;
use crate::task::computation::{AnyComputation, Stepped};

impl Scheduler {
    /// Performs any step but those that end or suspend a drive.
    #[inline]
    pub(super) fn perform(&self, step: &Step) {
        match *step {
            Step::Run(id) => {
                let task = self.engine().task(id).cloned();
                self.run(id, &task.expect("the engine runs only what it has"));
            }
            Step::Pause(context) => self.pause(context),
            Step::Resume(context) => self.resume(context),
            Step::Priority(batch) => self.set_priority(batch),
            Step::Flush(batch) => self.flush(batch),
            Step::Wait | Step::Deadlock(_) | Step::Done => unreachable!("the end of a drive"),
        }
    }

    /// Polls a task once.
    #[inline(always)]
    pub(super) fn run(&self, id: TaskId, task: &AnyComputation) {
        self.run_by(id, task, |cx| task.step(cx));
    }

    /// Polls a task once, by `step`.
    #[inline(always)]
    pub(super) fn run_by(
        &self,
        id: TaskId,
        task: &AnyComputation,
        step: impl FnOnce(&mut Context<'_>) -> Stepped,
    ) {
        let waker = self.wakers.take(id, &self.wake_queue);
        let apart = self.in_place.apart();
        if recording::is_on() {
            recording::runs(id);
        }
        self.polling.begin(waker.waker());
        let stepped = step(&mut Context::from_waker(waker.waker()));
        self.end_run(id, task, stepped, waker, &apart);
    }

    /// Ends the step of a task.
    #[inline(always)]
    pub(super) fn end_run(
        &self,
        id: TaskId,
        task: &AnyComputation,
        Stepped { is_pending, has_notes }: Stepped,
        waker: Box<TaskWaker>,
        apart: &Apart<'_>,
    ) {
        self.polling.end();
        if apart.has_waiting() {
            self.note_waiting(task, apart);
        }
        self.creator.take();
        let kept = waker.is_kept();
        if is_pending {
            self.block(id, kept);
        }
        match (is_pending, kept) {
            (_, false) => self.wakers.give_back(waker),
            (true, true) => self.wakers.keep(id, waker),
            (false, true) => {}
        }
        if !is_pending {
            self.finish(id);
            if has_notes {
                task.run_callbacks();
            }
        }
    }

    /// Notes which calls wait as parts of a task.
    fn note_waiting(&self, task: &AnyComputation, apart: &Apart<'_>) {
        task.set_waiting(apart.take_waiting(self.polling.awaits() <= 1));
    }

    /// Blocks the running task, whose poll has returned `Pending`.
    #[inline(always)]
    fn block(&self, id: TaskId, waker_is_kept: bool) {
        // The task may have been woken before it begins to wait.
        self.deliver_wakes();
        let mut engine = self.engine();
        let until = match self.polling.awaits() {
            _ if waker_is_kept => Until::AnyOrWake,
            0 | 1 => Until::All,
            _ => Until::Any,
        };
        if let Some(context) = self.polling.scope()
            && !waker_is_kept
            && !engine.is_woken()
        {
            // The task waits inside this context and nowhere else, so it goes on there.
            engine.set_scope(Some(context));
        }
        engine.block(until);
        if recording::is_on() {
            recording::blocks(id, engine.awaited(id));
        }
    }

    /// Removes a task or promise that has ended, with a value or without.
    pub(crate) fn finish(&self, id: TaskId) {
        self.wakers.remove(id);
        self.remember_ending(id);
        if recording::is_on() {
            self.record_ending(id);
        }
        let payload = self.engine().complete(id);
        drop(payload);
        self.wake_queue.wake_executors();
    }

    #[cold]
    fn record_ending(&self, id: TaskId) {
        let failure = self.engine().task(id).and_then(|task| task.failure());
        let message = failure.as_ref().map(TaskError::message);
        recording::ends(id, message);
    }

    /// Polls a blocked task, although nothing that it waits for is resolved.
    pub(crate) fn interrupt(&self, id: TaskId) {
        self.engine().interrupt(id);
        self.wake_queue.wake_executors();
    }

    /// Gives the wake-ups of the queue to the engine.
    #[inline]
    pub(super) fn deliver_wakes(&self) {
        if self.wake_queue.is_filled() {
            self.drain_wake_queue();
        }
    }

    #[cold]
    fn drain_wake_queue(&self) {
        self.foreign.count_delivery();
        for task in self.wake_queue.drain() {
            if task.is_null() {
                self.flush_timer.fire();
            } else {
                self.engine().wake(task);
            }
        }
    }
}
