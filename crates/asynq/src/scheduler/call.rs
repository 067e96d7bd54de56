//! Synchronous calls: drive a task to its end.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::thread;

use asynq_engine::{Step, TaskId};

use super::polling::Polling;
use super::runtime;
use super::state::{self, Scheduler};
use crate::error::{TaskError, TaskErrorKind};
use crate::recording;
use crate::task::computation::{AnyComputation, Body};

impl Scheduler {
    /// Drives `root` to its end.
    ///
    /// # Errors
    ///
    /// If `root` waits for a task that is suspended in the caller, or for a runtime that the call holds; if
    /// calls are nested too deeply; or if a flush panicked after all of its items had their values.
    pub(crate) fn call(&self, root: TaskId) -> Result<(), TaskError> {
        self.enter_call();
        let name = || self.engine().task(root).map(|task| task.to_string()).unwrap_or_default();
        let _nested = self.nest(name)?;
        let caller = self.running();
        if caller.is_some() {
            // A branch of the caller may have been left inside a context of its own.
            self.switch_to_running();
        }
        self.report_held();
        self.leave_idle_foreign_frame();
        self.engine().enter(root);
        if recording::is_on() {
            self.record_call(root);
        }
        self.creator.take();
        let _frame = FrameGuard { scheduler: self, outer: self.polling.suspend() };
        let _apart = self.in_place.apart();
        runtime::without_budget(|| self.drive_call(root, caller.as_ref(), None))
    }

    /// Drives the innermost frame, whose root is `root`, to its end. `body` is that of the root, if it is on the
    /// stack of the caller.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub(super) fn drive_call(
        &self,
        root: TaskId,
        caller: Option<&AnyComputation>,
        mut body: Option<Pin<&mut dyn Body>>,
    ) -> Result<(), TaskError> {
        let mut waited = false;
        loop {
            self.deliver_wakes();
            if self.flush_timer.has_fired() {
                self.flush_due();
            }
            let mut engine = self.engine();
            if let Some((id, task)) = engine.run_first() {
                let task = task.clone();
                drop(engine);
                match &mut body {
                    Some(body) if id == root => self.run_on_stack(id, &task, body.as_mut()),
                    _ => self.run(id, &task),
                }
                waited = false;
                continue;
            }
            let step = engine.next();
            let waits = matches!(step, Step::Wait);
            drop(engine);
            self.report_events();
            match step {
                Step::Run(id) if id == root && body.is_some() => {
                    let task = self.engine().task(id).cloned();
                    if let (Some(task), Some(body)) = (task, &mut body) {
                        self.run_on_stack(id, &task, body.as_mut());
                    }
                }
                Step::Wait | Step::Deadlock(_) if self.lend_permits() => {}
                Step::Deadlock(_) if self.exceed_limits() => {}
                // The wait may be for something that another task has requested.
                Step::Wait if !waited => self.wake_combinators(),
                Step::Wait => {
                    if let Err(standstill) = self.sleep() {
                        let error = self.sleepless(root, caller, standstill);
                        self.give_up();
                        return Err(error);
                    }
                }
                Step::Deadlock(report) => {
                    let error = self.fail_deadlocked(root, &report, caller);
                    if report.victims.is_empty() {
                        self.give_up();
                        return Err(error);
                    }
                }
                Step::Done => return self.take_panic().map_or(Ok(()), Err),
                step => self.perform(&step),
            }
            waited = waits;
        }
    }

    /// Records a call that has begun.
    #[cold]
    pub(super) fn record_call(&self, root: TaskId) {
        let (place, depth) = {
            let engine = self.engine();
            (engine.task(root).map(|task| task.place()), engine.depth())
        };
        recording::call_begins(root, place, depth);
    }

    /// Records the end of a call.
    #[cold]
    pub(super) fn record_return(&self) {
        let depth = self.engine().depth();
        recording::call_ends(depth);
    }

    /// Gives up the innermost call.
    fn give_up(&self) {
        self.engine().abandon();
        self.switch_to_caller();
    }
}

/// Guard of a call's frame, which must not stay behind when the call unwinds.
pub(super) struct FrameGuard<'s> {
    pub(super) scheduler: &'s Scheduler,
    pub(super) outer: Option<Polling>,
}

impl Drop for FrameGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.scheduler.give_up();
        }
        self.scheduler.polling.resume(self.outer.as_ref());
        self.scheduler.creator.take();
        self.scheduler.engine().exit();
        if recording::is_on() {
            self.scheduler.record_return();
        }
        self.scheduler.report_events();
    }
}

/// Passes the failure of a task on, as a panic: to the task or call that runs now, or to code outside of
/// tasks. That is where an error appears that no panic has begun: a panic was reported where it happened.
#[track_caller]
pub(crate) fn throw(error: TaskError) -> ! {
    if state::with(|scheduler| scheduler.is_driving() || scheduler.is_in_place()) {
        resume_unwind(Box::new(error));
    }
    match error.kind() {
        TaskErrorKind::Panicked => resume_unwind(error.into_payload()),
        TaskErrorKind::Deadlock | TaskErrorKind::Cancelled => panic!("{error}"),
    }
}
