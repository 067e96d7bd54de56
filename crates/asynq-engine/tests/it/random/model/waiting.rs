//! Waits for a task or a batch, and the contexts that are common to all who wait.

use super::{Batch, Model, On, Stage, State, Task};

impl Model<'_> {
    /// The innermost context of `path` that is around all of `scopes`.
    fn common(&self, path: Vec<usize>, scopes: &[Option<usize>]) -> Option<usize> {
        let paths: Vec<_> = scopes.iter().map(|&scope| self.path(scope)).collect();
        path.into_iter().rfind(|context| paths.iter().all(|path| path.contains(context)))
    }

    /// The innermost context of a flush of `batch`: what everybody who waits is under. One that the
    /// program limits is also limited to `limit`.
    pub(super) fn flush_scope(&self, batch: usize, limit: Option<usize>) -> Option<usize> {
        let Batch { source, waiting_scopes, .. } = &self.batches[batch];
        let scope = self.common(self.path(*waiting_scopes.first()?), waiting_scopes);
        if self.program.sources[source.0].is_limited_to_call {
            return self.common(self.path(scope), &[limit]);
        }
        let may_be_active = |context: &usize| {
            let spec = self.contexts[*context].spec;
            !self.program.contexts[spec.0].is_kept_out_of_flushes
        };
        self.path(scope).into_iter().take_while(may_be_active).last()
    }

    /// The innermost context under which `task`, which is in `scope`, asks and waits.
    fn waiting_scope(&self, task: usize, scope: Option<usize>) -> Option<usize> {
        let Task { inherited, waiting_scopes, .. } = &self.tasks[task];
        let limit = self.common(self.path(*inherited), waiting_scopes);
        if limit == *inherited {
            return scope;
        }
        let around = self.path(limit);
        self.path(scope).into_iter().rfind(|context| around.contains(context))
    }

    /// The innermost context under which the code that runs asks and waits.
    pub(super) fn code_waiting_scope(&self) -> Option<usize> {
        let scope = self.code_scope();
        let running = self.calls.last().and_then(|call| call.running);
        match running.filter(|&task| !self.has_ended(task)) {
            Some(task) => self.waiting_scope(task, scope),
            None => scope,
        }
    }

    /// Somebody under `scope` waits for `on`. Returns whether that is news.
    pub(super) fn note_waiting(&mut self, on: On, scope: Option<usize>) -> bool {
        if self.outcome(on).is_some() {
            return false;
        }
        let scopes = match on {
            On::Task(task) => &mut self.tasks[task].waiting_scopes,
            On::Item(batch, _) => match self.batches[batch].state {
                Stage::Open => &mut self.batches[batch].waiting_scopes,
                Stage::InFlight(Some(flush_task)) => &mut self.tasks[flush_task].waiting_scopes,
                _ => return false,
            },
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
    fn waits_for(&self, task: usize) -> Vec<(On, Option<usize>)> {
        if !matches!(self.tasks[task].state, State::Blocked { .. } | State::Running { .. }) {
            return Vec::new();
        }
        let mut waits = self.tasks[task].named.clone();
        for calls in self.calls.windows(2) {
            if calls[0].running == Some(task) {
                waits.push((On::Task(calls[1].root), calls[1].made_in));
            }
        }
        waits
    }
}
