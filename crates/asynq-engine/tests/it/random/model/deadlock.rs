//! Deadlocks: the search for tasks that can never go on.

use std::collections::BTreeSet;

use super::{Model, On, Stage, State};

#[derive(Default)]
struct Search {
    path: Vec<usize>,
    /// The stuck tasks, in the order in which a walk from the root comes to them.
    visited: Vec<usize>,
    /// The tasks that wait for something nobody will complete.
    blocked_externally: Vec<usize>,
    /// The tasks that wait for a task on the path that led to them.
    circular: Vec<usize>,
}

impl Model<'_> {
    /// Nothing can happen in the innermost call: fails those who are at fault, or the call.
    pub(super) fn break_deadlock(&mut self, root: usize) {
        let mut search = Search::default();
        if self.is_blocked(root) {
            self.walk(root, &mut search);
        }
        let is_nested = self.calls.len() > 1;
        let mut victims = match search.blocked_externally.as_slice() {
            [] => search.circular,
            // Whoever made the call may yet complete what they wait for.
            _ if is_nested => Vec::new(),
            _ => search.blocked_externally,
        };
        let mut seen = BTreeSet::new();
        victims.retain(|&victim| seen.insert(victim));
        let names =
            |on: Vec<On>| on.into_iter().map(|on| self.name(on)).collect::<Vec<_>>().join(", ");
        let stuck: Vec<_> = search
            .visited
            .iter()
            .map(|&task| {
                format!("{} waits for [{}]", self.tasks[task].name, names(self.still_awaited(task)))
            })
            .collect();
        let failing = names(victims.iter().copied().map(On::Task).collect());
        self.say(&format!("deadlock: {}; fails: [{failing}]", stuck.join(", ")));
        for &victim in &victims {
            self.tasks[victim].error.get_or_insert("deadlock".into());
            self.interrupt(victim);
        }
        if victims.is_empty() {
            self.calls.last_mut().expect("somebody calls").given_up = true;
        }
    }

    fn walk(&self, task: usize, search: &mut Search) {
        search.path.push(task);
        search.visited.push(task);
        let awaited = self.still_awaited(task);
        if awaited.is_empty() {
            search.blocked_externally.push(task);
        }
        for on in awaited {
            match self.waits_behind(on) {
                None => search.blocked_externally.push(task),
                Some(next) if search.path.contains(&next) => search.circular.push(task),
                Some(next) if search.visited.contains(&next) => {}
                Some(next) => self.walk(next, search),
            }
        }
        search.path.pop();
    }

    /// The blocked task that has to end before `on` is there.
    fn waits_behind(&self, on: On) -> Option<usize> {
        let task = match on {
            On::Task(task) => Some(task),
            On::Item(batch, _) => match self.batches[batch].state {
                Stage::InFlight(flush_task) => flush_task,
                Stage::Open | Stage::Flushing | Stage::Closed => None,
            },
        };
        task.filter(|&task| self.is_blocked(task))
    }

    fn is_blocked(&self, task: usize) -> bool {
        matches!(self.tasks[task].state, State::Blocked { .. })
    }

    fn still_awaited(&self, task: usize) -> Vec<On> {
        match &self.tasks[task].state {
            State::Blocked { on, .. } => {
                on.iter().copied().filter(|&on| self.outcome(on).is_none()).collect()
            }
            _ => Vec::new(),
        }
    }
}
