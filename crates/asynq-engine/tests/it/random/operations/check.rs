//! Invariants: after each operation, at each step, and in the end.

use std::iter;

use asynq_engine::{Dependency, Event, Step, Until};

use super::need::Need;
use super::world::{Stage, State, Task, World};

/// After each operation.
impl World {
    pub(super) fn check(&self) {
        let living = |world: &Self, task: usize| world.tasks[task].state != State::Ended;
        let tasks = (0..self.tasks.len()).filter(|&task| living(self, task)).count();
        assert_eq!(self.engine.task_count(), tasks);
        for (index, task) in self.tasks.iter().enumerate() {
            assert_eq!(self.engine.task(task.id).copied(), living(self, index).then_some(index));
            assert_eq!(self.engine.is_computed(task.id.into()), task.state == State::Ended);
            assert_eq!(self.engine.dependencies(task.id), self.still_awaited(index));
        }
        let is_closed = |stage: Stage| stage == Stage::Closed;
        let batches = self.batches.iter().filter(|batch| !is_closed(batch.stage)).count();
        assert_eq!(self.engine.batch_count(), batches);
        for (index, batch) in self.batches.iter().enumerate() {
            let payload = self.engine.batch(batch.id).copied();
            assert_eq!(payload, (!is_closed(batch.stage)).then_some(index));
            assert_eq!(self.engine.is_flushed(batch.id), batch.stage != Stage::Open);
        }
        for item in &self.items {
            assert_eq!(self.engine.is_computed(item.id.into()), item.computed);
        }
        let active: Vec<_> = self.active.iter().map(|&context| self.contexts[context].id).collect();
        assert_eq!(self.engine.active_contexts(), active);
        assert_eq!(self.engine.running(), self.running().map(|task| self.tasks[task].id));
        assert_eq!(self.engine.depth(), self.calls.len());
    }

    /// The things that a blocked task still waits for.
    fn still_awaited(&self, task: usize) -> Vec<Dependency> {
        let Task { state, asked, .. } = &self.tasks[task];
        match state {
            State::Blocked(_) if !self.may_go_on(task) => {
                asked.iter().copied().filter(|&on| !self.is_computed(on)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// At a step.
impl World {
    /// `task` runs: its contexts are active, and no others.
    pub(super) fn check_active(&self, task: usize) {
        assert_eq!(self.active_chain(), self.chain(self.tasks[task].scope));
    }

    pub(super) fn check_that_callers_are_active(&self) {
        let callers = self.calls.last().expect("there is a call").callers;
        assert_eq!(self.active_chain(), self.chain(callers));
    }

    /// A flush sees what is common to everybody who waits.
    pub(super) fn check_flush(&self, batch: usize) {
        let scope = self.flush_scope(batch, false);
        assert_eq!(self.active_chain(), self.chain(scope));
    }

    /// The active contexts. One that was left by the end of its task may remain among them until
    /// something below it is paused.
    fn active_chain(&self) -> Vec<usize> {
        let is_entered = |context: &usize| !self.contexts[*context].left;
        self.active.iter().copied().filter(is_entered).collect()
    }

    /// Everything runnable runs first.
    pub(super) fn check_that_nothing_can_run(&self) {
        for need in self.needed_now() {
            if let Need::Task(task) = need {
                assert!(self.tasks[task].state != State::New && !self.may_go_on(task));
            }
        }
    }

    /// Nothing that the call needs could be flushed, or happen outside.
    pub(super) fn check_that_nothing_will_happen(&self) {
        for need in self.needed_now() {
            match need {
                Need::Task(task) => {
                    assert_ne!(self.tasks[task].state, State::Blocked(Until::AnyOrWake));
                }
                Need::Batch(batch) => assert!(!matches!(
                    self.batches[batch].stage,
                    Stage::Open | Stage::InFlight(None)
                )),
            }
        }
    }

    /// A call drives what it needs, and nothing else.
    pub(super) fn check_that_it_is_needed(&self, need: Need) {
        assert!(self.calls.last().is_some_and(|call| call.needs.contains(&need)));
    }
}

/// In the end.
impl World {
    /// Gives everything up.
    pub(super) fn take_back(&mut self) {
        while let Some(call) = self.calls.last() {
            if let Some(task) = call.running {
                self.complete(task);
            }
            let call = self.calls.last_mut().expect("looked at above");
            call.flushing = None;
            call.abandoned = true;
            self.engine.abandon();
            call.running = None;
            while self.calls.last().is_some_and(|call| !call.done) {
                let step = self.engine.next();
                self.answer(step, 0);
            }
            self.exit();
            self.check();
        }
        (0..self.tasks.len()).for_each(|task| self.complete(task));
        (0..self.batches.len()).for_each(|batch| self.close(batch));
        (0..self.contexts.len()).for_each(|context| self.leave_context(context));
        self.check();
    }

    pub(super) fn check_that_nothing_is_left(&mut self) {
        assert_eq!((self.engine.task_count(), self.engine.batch_count()), (0, 0));
        assert_eq!(self.engine.active_contexts(), []);
        for context in &self.contexts {
            assert_eq!(self.engine.context(context.id), None, "a context that was kept");
        }
    }

    pub(super) fn check_that_it_still_works(&mut self) {
        let task = self.engine.add_task(0);
        self.engine.enter(task);
        assert_eq!(self.engine.next(), Step::Run(task));
        self.engine.complete(task);
        assert_eq!(self.engine.next(), Step::Done);
        self.engine.exit();
    }

    /// All that has happened; whatever began has ended.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let events: Vec<_> = iter::from_fn(|| self.engine.poll_event()).collect();
        let (mut tasks, mut calls) = (0, 0);
        for event in &events {
            match event {
                Event::Created(_) => tasks += 1,
                Event::Finished(_) => tasks -= 1,
                Event::Entered { .. } => calls += 1,
                Event::Exited { .. } => calls -= 1,
                _ => {}
            }
        }
        assert_eq!((tasks, calls), (0, 0));
        events
    }
}
