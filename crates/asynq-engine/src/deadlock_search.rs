//! The search for tasks that can never run again.
//!
//! A frame is stuck when none of its tasks is ready, none of its batches can be flushed and
//! nothing outside could set it going. Every task in it then waits, at the end of some path, for a
//! task on the same path (a circle), or for something that nobody in this frame will complete: a
//! promise, a batch that is being flushed, a task that is suspended in the very call that waits for
//! it. A task that waits directly for something of the second kind is *blocked externally*.
//!
//! In the outermost frame nobody else is left to complete it, so the tasks that are blocked
//! externally fail. In a nested frame, the caller may still complete it later: then no task is at
//! fault but the call, which is given up, and the tasks go on where they were.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::batch::BatchState;
use crate::deadlock::Deadlock;
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::TaskId;
use crate::task::{State, Until};

/// The tasks that a search came to, all of them blocked.
#[derive(Default)]
struct Stuck {
    waits: Vec<(TaskId, Vec<Dependency>)>,
    blocked_externally: Vec<TaskId>,
    /// The tasks among `blocked_externally` that have no dependencies at all.
    waits_for_nothing: Vec<TaskId>,
    circular: Vec<TaskId>,
}

enum Visit {
    /// On the path from the root to the task that is looked at.
    OnPath,
    Left,
}

/// # 6. From outside: deadlocks
impl<H: Host> Engine<H> {
    /// Breaks a deadlock behind `dependency`, if nothing that may yet be completed could do so: a
    /// promise, a flush. It is for a call whose root is a promise, and that drives several things
    /// at once ([`need`](Self::need)): its [`Step::Deadlock`](crate::Step::Deadlock) has no
    /// victims, since somebody outside may complete the root. The victims run next, as after that
    /// step.
    pub fn undo_deadlock(&mut self, dependency: impl Into<Dependency>) -> Deadlock {
        let Stuck { waits, blocked_externally, waits_for_nothing, circular } =
            self.search(dependency.into());
        let victims = match (blocked_externally.len(), waits_for_nothing.len()) {
            (0, _) => circular,
            (external, nothing) if external == nothing => waits_for_nothing,
            _ => Vec::new(),
        };
        let deadlock = Deadlock { victims: each_once(victims), waits };
        self.interrupt_victims(&deadlock);
        deadlock
    }
}

/// # 7. Look: waits
impl<H: Host> Engine<H> {
    /// Returns the first of the tasks that `task` waits for, at the end of some path of blocked tasks
    /// and flushes in flight, for which `found` says so.
    pub fn find_awaited(
        &self,
        task: TaskId,
        mut found: impl FnMut(TaskId) -> bool,
    ) -> Option<TaskId> {
        let mut seen = BTreeSet::from([task]);
        let mut left = self.dependencies(task);
        while let Some(dependency) = left.pop() {
            let Some(next) = self.task_behind(dependency) else { continue };
            if !seen.insert(next) {
                continue;
            }
            if found(next) {
                return Some(next);
            }
            left.extend(self.dependencies(next));
        }
        None
    }
}

impl<H: Host> Engine<H> {
    /// Reports the deadlock of the innermost frame, whose root is `root`, and interrupts its
    /// victims.
    pub(crate) fn break_deadlock(&mut self, root: TaskId) -> Deadlock {
        let Stuck { waits, blocked_externally, circular, .. } = self.search(root.into());
        let victims = match (blocked_externally.is_empty(), self.depth()) {
            (true, _) => circular,
            (false, 1) => blocked_externally,
            (false, _) => Vec::new(),
        };
        let deadlock = Deadlock { victims: each_once(victims), waits };
        self.interrupt_victims(&deadlock);
        deadlock
    }

    fn interrupt_victims(&mut self, deadlock: &Deadlock) {
        // Without any, the call fails; or its root is a promise, and nothing may be stuck.
        if !deadlock.victims.is_empty() {
            self.record(|| Event::Deadlocked(deadlock.victims.clone()));
        }
        for &victim in &deadlock.victims {
            self.interrupt(victim);
        }
    }

    /// Looks at everything behind `dependency`, depth first, each task once.
    fn search(&self, dependency: Dependency) -> Stuck {
        let mut stuck = Stuck::default();
        let mut seen = BTreeMap::new();
        // Each task on the path with the dependencies to look at, the next one last.
        let mut path: Vec<(TaskId, Vec<Dependency>)> = Vec::new();
        let mut next = Some(dependency);
        loop {
            if let Some(dependency) = next.take() {
                let waiter = path.last().map(|&(task, _)| task);
                match self.blocked_task(dependency) {
                    None => stuck.blocked_externally.extend(waiter),
                    Some(task) => match seen.get(&task) {
                        Some(Visit::OnPath) => stuck.circular.extend(waiter),
                        Some(Visit::Left) => {}
                        None => {
                            seen.insert(task, Visit::OnPath);
                            let mut left = self.dependencies(task);
                            stuck.waits.push((task, left.clone()));
                            if left.is_empty() {
                                stuck.blocked_externally.push(task);
                                if !self.waits_for_wake(task) {
                                    stuck.waits_for_nothing.push(task);
                                }
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
        stuck
    }

    /// Returns whether something outside can wake a task.
    fn waits_for_wake(&self, task: TaskId) -> bool {
        let state = self.tasks.get(task).map(|node| node.state);
        state == Some(State::Blocked(Until::AnyOrWake))
    }

    /// The task behind `dependency`: the flush task of an item in flight.
    fn task_behind(&self, dependency: Dependency) -> Option<TaskId> {
        match dependency {
            Dependency::Task(task) => Some(task),
            Dependency::Item(item) => match self.batches.get(item.batch)?.state {
                BatchState::InFlight(flush_task) => flush_task,
                BatchState::Open(_) | BatchState::Flushing(_) => None,
            },
        }
    }

    /// The blocked task behind `dependency`, if there is one.
    fn blocked_task(&self, dependency: Dependency) -> Option<TaskId> {
        let task = self.task_behind(dependency)?;
        matches!(self.tasks.get(task)?.state, State::Blocked(_)).then_some(task)
    }
}

fn each_once(mut tasks: Vec<TaskId>) -> Vec<TaskId> {
    let mut named = BTreeSet::new();
    tasks.retain(|&task| named.insert(task));
    tasks
}
