//! How many flushes may be in flight.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::promise::{Promise, promise};

thread_local! {
    static OF_THREAD: RefCell<Option<Rc<Limit>>> = const { RefCell::new(None) };
}

/// Lets at most so many batches of loaders be in flight on this thread at a time, at least one; or
/// any number. Those that are in flight already do not count.
pub fn set_max_in_flight(batches: impl Into<Option<usize>>) {
    OF_THREAD.set(batches.into().map(|batches| Limit::new(batches.max(1))));
}

/// What all loaders of the thread share.
pub(super) fn of_thread() -> Option<Rc<Limit>> {
    OF_THREAD.with_borrow(Clone::clone)
}

/// Lets so many through at a time, in the order in which they ask.
pub(super) struct Limit {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Promise<Permit>>>,
}

/// Leave to be in flight, until it is dropped.
pub(super) struct Permit {
    limit: Rc<Limit>,
}

impl Limit {
    pub(super) fn new(free: usize) -> Rc<Self> {
        Rc::new(Self { free: Cell::new(free), waiting: RefCell::default() })
    }

    pub(super) async fn acquire(self: Rc<Self>) -> Permit {
        if let Some(left) = self.free.get().checked_sub(1) {
            self.free.set(left);
            return Permit { limit: self };
        }
        let (promise, future) = promise();
        self.waiting.borrow_mut().push_back(promise);
        future.await
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = self.limit.waiting.borrow_mut().pop_front();
        match next {
            // If that was given up, the permit is dropped with the promise, and goes to the next.
            Some(next) => next.set_value(Self { limit: Rc::clone(&self.limit) }),
            None => self.limit.free.set(self.limit.free.get() + 1),
        }
    }
}
