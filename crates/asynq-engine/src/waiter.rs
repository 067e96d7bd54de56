//! Edges backward: which tasks wait for something.

use alloc::boxed::Box;
use alloc::vec::Vec;

use slotmap::SlotMap;

use crate::host::Host;
use crate::task::{State, Task, TaskId};

/// One task's wait for one thing.
///
/// `since` is the number of the wait. A task that was woken otherwise in the meantime (one of
/// several awaited things was enough, or it failed) has another number by then, or is gone: such
/// an edge is stale and means nothing. So a wait ends in constant time, whatever the number of
/// edges it leaves behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) task: TaskId,
    pub(crate) since: u64,
}

impl Waiter {
    fn is_stale<H: Host>(self, tasks: &SlotMap<TaskId, Task<H>>) -> bool {
        !tasks.get(self.task).is_some_and(|task| task.waits_since(self.since))
    }
}

/// The waits for one thing. Nearly everything is awaited once, which needs no allocation.
#[derive(Debug)]
pub(crate) enum Waiters {
    One(Waiter),
    // Boxed to keep the node of every task and item small.
    #[allow(clippy::box_collection, reason = "a third of the size of the vector itself")]
    Several(Option<Box<Vec<Waiter>>>),
}

impl Waiters {
    pub(crate) const NONE: Self = Self::Several(None);

    /// Adds a wait. A task that asks again and again for the first of several things leaves stale
    /// edges behind; they are dropped whenever the list would have to grow.
    pub(crate) fn push<H: Host>(&mut self, waiter: Waiter, tasks: &SlotMap<TaskId, Task<H>>) {
        match self {
            Self::Several(None) => *self = Self::One(waiter),
            Self::One(first) if first.is_stale(tasks) => *first = waiter,
            Self::One(first) => *self = Self::Several(Some(Box::new([*first, waiter].into()))),
            Self::Several(Some(list)) => {
                if list.len() == list.capacity() {
                    list.retain(|waiter| !waiter.is_stale(tasks));
                }
                list.push(waiter);
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[Waiter] {
        match self {
            Self::One(waiter) => core::slice::from_ref(waiter),
            Self::Several(list) => list.as_deref().map_or(&[], Vec::as_slice),
        }
    }
}

/// Whether a task waits since `since`: the test that tells a live edge from a stale one.
impl<H: Host> Task<H> {
    fn waits_since(&self, since: u64) -> bool {
        matches!(&self.state, State::Blocked(wait) if wait.since == since)
    }
}
