//! A synchronous call: what happens next until its task has ended.

use super::{Call, Model, Need, On, Outside, State};
use crate::sim::Outcome;

impl Model<'_> {
    pub(super) fn call(&mut self, root: usize) -> Outcome {
        self.say(&format!("call {}", self.tasks[root].name));
        let scope = self.code_scope();
        self.adopt(root, scope);
        self.note_waiting(On::Task(root), self.code_waiting_scope());
        self.calls.push(Call {
            root,
            made_in: scope,
            running: None,
            ready: Vec::new(),
            needs: Vec::new(),
            callers: self.active.last().copied(),
            flush: None,
            given_up: false,
        });
        self.told.max_depth = self.told.max_depth.max(self.calls.len());
        self.spread_waiting();
        self.claim(Need::Task(root));
        let mut unfinished = "given up";
        loop {
            self.line_up();
            let call = self.calls.last().expect("pushed above");
            let callers = call.callers;
            if call.given_up || self.has_ended(root) {
                while self.switch(callers) {}
                break;
            } else if let Some(&task) = call.ready.first() {
                // One at a time: a failing switch may change who comes first.
                if !self.switch(self.tasks[task].scope) {
                    self.run(task);
                }
            } else if let Some(batch) = self.choose_batch() {
                let scope = self.flush_scope(batch, callers);
                while self.is_idle() && self.switch(scope) {}
                if self.is_idle() {
                    self.flush(batch, scope);
                }
            } else if self.can_wait() {
                if !self.switch(callers) {
                    self.wait();
                }
            } else {
                self.break_deadlock(root);
                unfinished = "deadlock";
            }
        }
        self.hand_over();
        match self.outcome(On::Task(root)) {
            Some(outcome) => outcome.clone(),
            None => Err(unfinished.into()),
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.last().is_some_and(|call| call.ready.is_empty())
    }

    /// Ends the innermost call; the one around it gets what is left.
    fn hand_over(&mut self) {
        let ended = self.calls.pop().expect("somebody calls");
        let row = match self.calls.last_mut() {
            Some(outer) => {
                outer.needs.extend(ended.needs);
                &mut outer.ready
            }
            None => &mut self.idle,
        };
        row.splice(0..0, ended.ready);
        let caller = self.calls.last().and_then(|outer| outer.running);
        if let Some(caller) = caller.filter(|&caller| self.has_ended(caller)) {
            self.leave_all(caller);
        }
    }

    /// The scope of the code that runs: of a flush, of a task, or else what is active.
    pub(super) fn code_scope(&self) -> Option<usize> {
        let call = self.calls.last()?;
        match (&call.flush, call.running) {
            (Some(flush), _) => flush.scope,
            (None, Some(task)) if !self.has_ended(task) => self.tasks[task].scope,
            _ => self.active.last().copied(),
        }
    }

    /// A task that nobody has asked for before will run in `scope`.
    pub(super) fn adopt(&mut self, task: usize, scope: Option<usize>) {
        let task = &mut self.tasks[task];
        if let State::New { is_adopted: false } = task.state {
            task.state = State::New { is_adopted: true };
            task.scope = scope;
            task.inherited = scope;
        }
    }

    fn wait(&mut self) {
        let (_, first) = self
            .outside
            .iter()
            .enumerate()
            .map(|(age, &(order, _))| (order, age))
            .min()
            .expect("something can happen");
        self.say("wait");
        match self.outside.remove(first).1 {
            Outside::Lands(batch) => self.land(batch, None),
            Outside::Wakes(task) => self.interrupt(task),
        }
    }
}
