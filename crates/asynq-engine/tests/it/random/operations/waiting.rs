//! Waits for a task or a batch, and the contexts that are common to all who wait.

use asynq_engine::Dependency;

use super::world::{Stage, State, Task, World};

impl World {
    /// The innermost context of `path` that is around all of `scopes`.
    fn common(&self, path: Vec<usize>, scopes: &[Option<usize>]) -> Option<usize> {
        let paths: Vec<_> = scopes.iter().map(|&scope| self.path(scope)).collect();
        path.into_iter().rfind(|context| paths.iter().all(|path| path.contains(context)))
    }

    /// The innermost context of a flush of `batch`, in the innermost call if it is not out of turn.
    pub(super) fn flush_scope(&self, batch: usize, is_out_of_turn: bool) -> Option<usize> {
        let batch = &self.batches[batch];
        let outermost = self.calls.first().map(|call| self.tasks[call.root].state);
        if batch.asked_outside && outermost == Some(State::Promise) {
            return None;
        }
        let scope = self.common(self.path(*batch.waiting_scopes.first()?), &batch.waiting_scopes);
        if !batch.is_limited_to_call {
            let may_be_active = |context: &usize| !self.contexts[*context].is_kept_out;
            return self.path(scope).into_iter().take_while(may_be_active).last();
        }
        if is_out_of_turn {
            return scope;
        }
        let callers = self.calls.last().expect("there is a call").callers;
        self.common(self.path(scope), &[callers])
    }

    /// The innermost context under which `task`, which is in `scope`, asks and waits.
    fn waiting_scope(&self, task: usize, scope: Option<usize>) -> Option<usize> {
        let Task { inherited, waiting_scopes, .. } = &self.tasks[task];
        let limit = self.common(self.path(*inherited), waiting_scopes);
        if limit == *inherited { scope } else { self.common(self.path(scope), &[limit]) }
    }

    /// The code that runs waits for `on`.
    pub(super) fn note_code_waiting(&mut self, on: Dependency) {
        let scope = self.code_waiting_scope();
        self.note_waiting(on, scope);
        self.spread_waiting();
    }

    pub(super) fn code_waiting_scope(&self) -> Option<usize> {
        let scope = self.code_scope();
        match self.running().filter(|&task| self.tasks[task].state != State::Ended) {
            Some(task) => self.waiting_scope(task, scope),
            None => scope,
        }
    }

    /// Somebody under `scope` waits for `on`. Returns whether that is news.
    fn note_waiting(&mut self, on: Dependency, scope: Option<usize>) -> bool {
        if self.is_computed(on) {
            return false;
        }
        let place = self.places[&on];
        let scopes = match on {
            Dependency::Task(_) => &mut self.tasks[place].waiting_scopes,
            Dependency::Item(_) => {
                let batch = self.items[place].batch;
                match self.batches[batch].stage {
                    Stage::Open | Stage::Flushing => &mut self.batches[batch].waiting_scopes,
                    Stage::InFlight(Some(flush_task)) => &mut self.tasks[flush_task].waiting_scopes,
                    _ => return false,
                }
            }
        };
        let is_news = !scopes.contains(&scope);
        if is_news {
            scopes.push(scope);
        }
        is_news
    }

    /// Somebody new waits for a task, and so for what that waits for, and so on.
    pub(super) fn spread_waiting(&mut self) {
        let mut is_news = true;
        while is_news {
            is_news = false;
            for task in 0..self.tasks.len() {
                for (on, scope) in self.waits_for(task) {
                    let scope = self.waiting_scope(task, scope);
                    is_news |= self.note_waiting(on, scope);
                }
            }
        }
    }

    /// Returns the things that a task waits for, or will, each with the scope in which it does.
    fn waits_for(&self, task: usize) -> Vec<(Dependency, Option<usize>)> {
        let Task { state, asked, asked_in, .. } = &self.tasks[task];
        let waits = match state {
            // Otherwise its call was given up.
            State::Running => self.calls.iter().any(|call| call.running == Some(task)),
            State::Blocked(_) => !self.may_go_on(task),
            _ => false,
        };
        if !waits {
            return Vec::new();
        }
        let mut all: Vec<_> = asked.iter().copied().zip(asked_in.iter().copied()).collect();
        for calls in self.calls.windows(2) {
            if calls[0].running == Some(task) {
                all.push((self.tasks[calls[1].root].id.into(), calls[1].made_in));
            }
        }
        all
    }
}
