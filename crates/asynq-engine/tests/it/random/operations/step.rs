//! The loop of a driver, an answer at a time.

use asynq_engine::{Deadlock, Step, Until};

use super::need::Need;
use super::operation::{LAST, Operation};
use super::world::{Batch, Stage, State, Task, World};

impl World {
    /// Does what the driver of the innermost call does next; `number` says how it answers. If there
    /// is no call, it makes one.
    pub(super) fn drive(&mut self, number: u8) {
        let Some(call) = self.calls.last() else {
            self.apply(Operation::AddTask);
            return self.apply(Operation::Enter(LAST));
        };
        if let Some(task) = call.running {
            self.go_on(task, number);
        } else if let Some(batch) = call.flushing {
            self.calls.last_mut().expect("looked at above").flushing = None;
            if number.is_multiple_of(3) {
                self.defer(batch, None);
            } else {
                self.close(batch);
            }
        } else if call.done {
            self.exit();
        } else {
            let step = self.engine.next();
            self.answer(step, number);
        }
    }

    /// A task runs to its end, or waits: for what it has asked for, or for something new.
    fn go_on(&mut self, task: usize, number: u8) {
        match number % 8 {
            0..3 => {
                self.apply(Operation::AddTask);
                self.apply(Operation::DependOnTask(LAST));
            }
            3..6 => {
                self.apply(Operation::AddItem(number));
                self.apply(Operation::DependOnItem(LAST));
            }
            6 if !self.tasks[task].asked.is_empty() => {}
            _ => {
                self.complete(task);
                // It may have ended before, and it is still to be answered for.
                self.calls.last_mut().expect("it runs in a call").running = None;
                return;
            }
        }
        self.block(if number < 224 { Until::All } else { Until::Any });
    }

    pub(super) fn answer(&mut self, step: Step, number: u8) {
        match step {
            Step::Pause(id) => {
                let context = *self.engine.context(id).expect("it is being paused");
                assert_eq!(self.active.pop(), Some(context), "the innermost is paused first");
                self.switched = Some(context);
            }
            Step::Resume(id) => {
                let context = *self.engine.context(id).expect("it is being resumed");
                assert!(!self.contexts[context].left && !self.active.contains(&context));
                self.active.push(context);
                self.switched = Some(context);
            }
            Step::Run(id) => {
                let task = *self.engine.task(id).expect("it has not ended");
                self.start(task);
            }
            Step::Priority(id) => {
                let batch = *self.engine.batch(id).expect("it is not closed");
                assert_eq!(self.batches[batch].stage, Stage::Open);
                self.engine.set_priority(id, (i64::from(number) % 4, 0));
            }
            Step::Flush(id) => {
                let batch = *self.engine.batch(id).expect("it is not closed");
                assert_eq!(self.batches[batch].stage, Stage::Open);
                self.check_flush(batch);
                self.note_flush(batch, false);
                self.calls.last_mut().expect("there is a call").flushing = Some(batch);
                self.check_that_it_is_needed(Need::Batch(batch));
                self.check_that_nothing_can_run();
            }
            Step::Wait => {
                self.check_that_nothing_can_run();
                self.check_that_callers_are_active();
                self.let_time_pass();
            }
            Step::Done => {
                let call = self.calls.last_mut().expect("there is a call");
                call.done = true;
                assert!(call.abandoned || self.tasks[call.root].state == State::Ended);
                self.check_that_callers_are_active();
            }
            Step::Deadlock(report) => self.deadlock(&report),
        }
    }

    /// One thing happens that a driver may wait for.
    fn let_time_pass(&mut self) {
        let is_sent = |batch: &Batch| batch.stage == Stage::InFlight(None);
        if let Some(batch) = self.batches.iter().position(is_sent) {
            return self.close(batch);
        }
        let waits = |task: &Task| task.state == State::Blocked(Until::AnyOrWake);
        let task = self.tasks.iter().position(waits).expect("there is something to wait for");
        self.wake(task);
    }

    fn start(&mut self, task: usize) {
        self.calls.last_mut().expect("there is a call").running = Some(task);
        self.check_that_it_is_needed(Need::Task(task));
        let is_new = self.tasks[task].state == State::New;
        assert!(is_new || self.may_go_on(task), "{task} runs although it waits");
        self.tasks[task].state = State::Running;
        self.tasks[task].set_going = false;
        self.tasks[task].asked.clear();
        self.tasks[task].asked_in.clear();
        self.check_active(task);
    }

    fn deadlock(&mut self, report: &Deadlock) {
        self.check_that_nothing_can_run();
        self.check_that_nothing_will_happen();
        let stuck: Vec<_> = report.waits.iter().map(|&(task, _)| task).collect();
        for (index, victim) in report.victims.iter().enumerate() {
            assert!(stuck.contains(victim), "a victim that is not stuck");
            assert!(!report.victims[..index].contains(victim), "a victim named twice");
            let task = *self.engine.task(*victim).expect("it has not ended");
            self.note_interrupt(task);
        }
        if report.victims.is_empty() {
            self.engine.abandon();
            self.calls.last_mut().expect("there is a call").abandoned = true;
        }
    }
}
