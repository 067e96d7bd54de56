//! Edges backward: the waits of tasks for one thing.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::id::{Stamp, TaskId};

/// One task in one wait, or at one place in a list of ready tasks.
///
/// A task that has gone on since (one of several awaited things was enough, or it failed) has another
/// stamp by then, or another state, or is gone: such an edge is stale and means nothing. So a wait ends in
/// constant time, whatever the number of edges it leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) task: TaskId,
    pub(crate) stamp: Stamp,
}

/// Number of waits for which a list has room from the beginning: a thing that is awaited twice is often
/// awaited by many.
const SHARED_CAPACITY: usize = 8;

/// The waits for one thing. Nearly everything is awaited once, which needs no allocation.
#[derive(Debug)]
pub(crate) enum Waiters {
    One(Waiter),
    // Boxed to keep the node of every task small.
    #[allow(clippy::box_collection, reason = "a third of the size of the vector itself")]
    Several(Option<Box<Vec<Waiter>>>),
}

impl Waiters {
    pub(crate) const NONE: Self = Self::Several(None);

    /// Adds a wait. A task that waits again and again for the first of several things leaves stale
    /// edges behind; they are dropped whenever the list would have to grow.
    pub(crate) fn push(&mut self, waiter: Waiter, is_stale: impl Fn(Waiter) -> bool) {
        match self {
            Self::Several(None) => *self = Self::One(waiter),
            Self::One(first) if is_stale(*first) => *first = waiter,
            Self::One(first) => {
                let mut list = Vec::with_capacity(SHARED_CAPACITY);
                list.extend([*first, waiter]);
                *self = Self::Several(Some(Box::new(list)));
            }
            Self::Several(Some(list)) => {
                if list.len() == list.capacity() {
                    list.retain(|&waiter| !is_stale(waiter));
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
