//! The limit of all loaders of a thread.

use std::cell::RefCell;
use std::rc::Rc;

use crate::scheduler::Limit;

thread_local! {
    static OF_THREAD: RefCell<Option<Rc<Limit>>> = const { RefCell::new(None) };
}

/// Limits the batches of loaders that are in flight on this thread (at least 1; `None`: no limit).
///
/// Only batches of async functions count, and not those that are in flight already, nor those of the
/// calls around the current one. A batch whose function waits for another loader lends its permit to
/// the batch of that one.
pub fn set_max_in_flight(batches: impl Into<Option<usize>>) {
    OF_THREAD.set(batches.into().map(Limit::new));
}

/// Returns the limit that all loaders of the thread share.
pub(super) fn of_thread() -> Option<Rc<Limit>> {
    OF_THREAD.with_borrow(Clone::clone)
}
