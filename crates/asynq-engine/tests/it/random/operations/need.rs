//! The needs of each call, found by looking at everything again.

use std::collections::BTreeSet;

use asynq_engine::Dependency;

use super::world::{Stage, State, World};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Task(usize),
    Batch(usize),
}

impl World {
    /// Adds to what the innermost call needs.
    pub(super) fn need(&mut self, on: Dependency) {
        let need = self.needs_for(on);
        if let Some(call) = self.calls.last_mut() {
            call.needs.extend(need);
        }
    }

    /// A call that needs a task or batch needs what that waits for now, even if that goes on
    /// without it later.
    pub(super) fn follow_needs(&mut self) {
        for call in 0..self.calls.len() {
            let needs = std::mem::take(&mut self.calls[call].needs);
            self.calls[call].needs = self.closure(needs);
        }
    }

    /// The called task, and all that it has to wait for now.
    pub(super) fn needed_now(&self) -> BTreeSet<Need> {
        let root = self.calls.last().map(|call| Need::Task(call.root));
        self.closure(root.into_iter().collect())
    }

    fn closure(&self, mut needs: BTreeSet<Need>) -> BTreeSet<Need> {
        let mut rest: Vec<_> = needs.iter().copied().collect();
        while let Some(need) = rest.pop() {
            let next: Vec<_> = match need {
                Need::Task(task) => match self.tasks[task].state {
                    State::Blocked(_) => {
                        let asked = self.tasks[task].asked.iter();
                        asked.filter_map(|&on| self.needs_for(on)).collect()
                    }
                    _ => Vec::new(),
                },
                Need::Batch(batch) => match self.batches[batch].stage {
                    Stage::InFlight(flush_task) => flush_task.map(Need::Task).into_iter().collect(),
                    Stage::Open | Stage::Flushing | Stage::Closed => Vec::new(),
                },
            };
            rest.extend(next.into_iter().filter(|&need| needs.insert(need)));
        }
        needs
    }

    fn needs_for(&self, on: Dependency) -> Option<Need> {
        if self.is_computed(on) {
            return None;
        }
        let place = self.places[&on];
        Some(match on {
            Dependency::Task(_) => Need::Task(place),
            Dependency::Item(_) => Need::Batch(self.items[place].batch),
        })
    }
}
