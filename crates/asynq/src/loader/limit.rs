//! Limits of concurrent batches.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use asynq_engine::TaskId;

use crate::scheduler::{self, Scheduler};
use crate::task::{Promise, promise};

thread_local! {
    static OF_THREAD: RefCell<Option<Rc<Limit>>> = const { RefCell::new(None) };
}

/// Limits the batches of loaders that are in flight on this thread (at least 1; `None`: no limit).
///
/// Only batches of async functions count, and not those that are in flight already, nor those of the
/// calls around the current one. A batch counts while its function awaits other loaders, so the limit
/// must not be smaller than the number of loaders that are nested in this way.
pub fn set_max_in_flight(batches: impl Into<Option<usize>>) {
    OF_THREAD.set(batches.into().map(|batches| Limit::new(batches.max(1))));
}

/// Returns the limit that all loaders of the thread share.
pub(super) fn of_thread() -> Option<Rc<Limit>> {
    OF_THREAD.with_borrow(Clone::clone)
}

/// Limit of concurrent batches. Batches get permits in the order in which they acquire them.
///
/// A synchronous call waits only for permits that it holds itself: the calls around it are suspended
/// until it returns, and nobody drives the batches of calls that have ended.
pub(super) struct Limit {
    max: usize,
    /// Calls that hold the permits.
    held: RefCell<Vec<Option<TaskId>>>,
    waiting: RefCell<VecDeque<Waiter>>,
}

struct Waiter {
    call: Option<TaskId>,
    promise: Promise<Permit>,
    /// Dropped when the batch is cancelled.
    wanted: Weak<()>,
}

/// Permit of a batch to be in flight, until it is dropped.
pub(super) struct Permit {
    limit: Rc<Limit>,
    call: Option<TaskId>,
}

impl Limit {
    pub(super) fn new(max: usize) -> Rc<Self> {
        Rc::new(Self { max, held: RefCell::default(), waiting: RefCell::default() })
    }

    pub(super) async fn acquire(self: Rc<Self>) -> Permit {
        let call = scheduler::with(Scheduler::current_call);
        if self.has_room() || !self.held.borrow().contains(&call) {
            return self.permit(call);
        }
        let (promise, future) = promise();
        let wanted = Rc::new(());
        let waiter = Waiter { call, promise, wanted: Rc::downgrade(&wanted) };
        self.waiting.borrow_mut().push_back(waiter);
        let permit = future.await;
        drop(wanted);
        permit
    }

    fn has_room(&self) -> bool {
        self.held.borrow().len() < self.max
    }

    fn next_waiter(&self) -> Option<Waiter> {
        self.waiting.borrow_mut().pop_front()
    }

    fn permit(self: Rc<Self>, call: Option<TaskId>) -> Permit {
        self.held.borrow_mut().push(call);
        Permit { limit: self, call }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let limit = &self.limit;
        {
            let mut held = limit.held.borrow_mut();
            let index = held.iter().position(|call| *call == self.call);
            held.swap_remove(index.expect("a permit is held until it is dropped"));
        }
        if !limit.has_room() {
            return;
        }
        while let Some(next) = limit.next_waiter() {
            // A cancelled batch is skipped: its permit would be dropped inside this drop.
            if next.wanted.strong_count() > 0 {
                next.promise.set_value(Rc::clone(limit).permit(next.call));
                return;
            }
        }
    }
}
