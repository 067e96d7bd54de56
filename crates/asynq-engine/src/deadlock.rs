//! The report on tasks that can never run again.
//!
//! A frame is stuck when none of its tasks is ready, none of its batches can be flushed and
//! nothing outside could set it going. Every task in it then waits, at the end of some path, for a
//! task on the same path (a circle), or for something that nobody in this frame will complete: a
//! promise, a batch that is being flushed, a task that is suspended in the very call that waits for
//! it. We call a task *stranded* that waits directly for something of the second kind.
//!
//! In the outermost frame nobody else is left to complete it, so stranded tasks fail. In a nested
//! frame, whoever made the call may still do so later: then no task is at fault but the call, which
//! is given up, and the tasks go on where they were.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::batch::{BatchState, Item};
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::task::{State, Task, TaskId};

/// Which tasks wait for what, none of them ever to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// The tasks whose failure undoes the knot: in the outermost call, those that wait for
    /// something nobody will complete; if there is none, those that close a circle. Empty if the
    /// tasks may yet go on, but not within this call.
    pub victims: Vec<TaskId>,
    /// All tasks that are stuck, the called one first, with what each still waits for.
    pub waits: Vec<(TaskId, Vec<Dependency>)>,
}

/// What a search found.
#[derive(Default)]
struct Stuck {
    waits: Vec<(TaskId, Vec<Dependency>)>,
    stranded: Vec<TaskId>,
    /// Of those that are stranded, the ones that wait for nothing at all.
    forlorn: Vec<TaskId>,
    circular: Vec<TaskId>,
}

enum Visit {
    /// On the path from the root to the task that is looked at.
    OnPath,
    Left,
}

impl<H: Host> Engine<H> {
    pub(crate) fn find_deadlock(&self, root: TaskId) -> Deadlock {
        let Stuck { waits, stranded, circular, .. } = self.search(root.into());
        let victims = match (stranded.is_empty(), self.depth()) {
            (true, _) => circular,
            (false, 1) => stranded,
            (false, _) => Vec::new(),
        };
        Deadlock { victims: each_once(victims), waits }
    }

    /// Undoes the knot behind `on`, if nothing that may yet be completed could undo it: a promise,
    /// a flush. It is for a call whose root is a promise, and that drives several things at once
    /// ([`need`](Self::need)): its [`Step::Deadlock`](crate::Step::Deadlock) has no victims, since
    /// somebody outside may complete the root. The victims run next, as after that step.
    pub fn undo_deadlock(&mut self, on: impl Into<Dependency>) -> Deadlock {
        let Stuck { waits, stranded, forlorn, circular } = self.search(on.into());
        let victims = match (stranded.len(), forlorn.len()) {
            (0, _) => circular,
            (stranded, count) if stranded == count => forlorn,
            _ => Vec::new(),
        };
        let deadlock = Deadlock { victims: each_once(victims), waits };
        if !deadlock.victims.is_empty() {
            self.record(|| Event::Deadlocked(deadlock.victims.clone()));
        }
        for &victim in &deadlock.victims {
            self.interrupt(victim);
        }
        deadlock
    }

    /// Looks at everything behind `on`, depth first, each task once.
    fn search(&self, on: Dependency) -> Stuck {
        let Stuck { mut waits, mut stranded, mut forlorn, mut circular } = Stuck::default();
        let mut seen = BTreeMap::new();
        // The path: of each task, what it still waits for, the next to look at last.
        let mut path: Vec<(TaskId, Vec<Dependency>)> = Vec::new();
        let mut next = Some(on);
        loop {
            if let Some(on) = next.take() {
                let waiter = path.last().map(|&(task, _)| task);
                match self.blocked_task(on) {
                    None => stranded.extend(waiter),
                    Some(task) => match seen.get(&task) {
                        Some(Visit::OnPath) => circular.extend(waiter),
                        Some(Visit::Left) => {}
                        None => {
                            seen.insert(task, Visit::OnPath);
                            let mut left = self.dependencies(task);
                            waits.push((task, left.clone()));
                            if left.is_empty() {
                                stranded.push(task);
                                forlorn.push(task);
                            }
                            left.reverse();
                            path.push((task, left));
                        }
                    },
                }
            }
            let Some((task, left)) = path.last_mut() else {
                break;
            };
            next = left.pop();
            if next.is_none() {
                seen.insert(*task, Visit::Left);
                path.pop();
            }
        }
        Stuck { waits, stranded, forlorn, circular }
    }

    /// The blocked task behind `on`, if there is one.
    fn blocked_task(&self, on: Dependency) -> Option<TaskId> {
        let task = match on {
            Dependency::Task(task) => task,
            Dependency::Item(item) => match self.batches.get(item.batch)?.state {
                BatchState::InFlight(carrier) => carrier?,
                BatchState::Open(_) | BatchState::Flushing => return None,
            },
        };
        matches!(self.tasks.get(task)?.state, State::Blocked(_)).then_some(task)
    }

    /// What a blocked task still waits for, in the order given; empty for any other task.
    #[must_use]
    pub fn dependencies(&self, task: TaskId) -> Vec<Dependency> {
        match self.tasks.get(task) {
            Some(Task { state: State::Blocked(_), on, .. }) => {
                on.as_slice().iter().copied().filter(|&on| !self.is_computed(on)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a task has ended, or an item has its value.
    #[must_use]
    #[inline]
    pub fn is_computed(&self, on: Dependency) -> bool {
        match on {
            Dependency::Task(task) => !self.tasks.contains_key(task),
            Dependency::Item(item) => self
                .batches
                .get(item.batch)
                .is_none_or(|batch| matches!(batch.items[item.index as usize], Item::Computed)),
        }
    }
}

fn each_once(mut tasks: Vec<TaskId>) -> Vec<TaskId> {
    let mut named = BTreeSet::new();
    tasks.retain(|&task| named.insert(task));
    tasks
}
