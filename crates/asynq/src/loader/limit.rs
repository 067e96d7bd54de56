//! How many flushes may be in flight.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use asynq_engine::TaskId;

use crate::scheduler::{self, Scheduler};
use crate::task::{Promise, promise};

thread_local! {
    static OF_THREAD: RefCell<Option<Rc<Limit>>> = const { RefCell::new(None) };
}

/// Lets at most so many batches of loaders be in flight on this thread at a time, at least one; or
/// any number. Those that are in flight already do not count; neither do those of functions that are
/// not async, and of calls around.
///
/// An async function that asks other loaders keeps its own place meanwhile: so many of them as are inside
/// each other have to be allowed.
pub fn set_max_in_flight(batches: impl Into<Option<usize>>) {
    OF_THREAD.set(batches.into().map(|batches| Limit::new(batches.max(1))));
}

/// What all loaders of the thread share.
pub(super) fn of_thread() -> Option<Rc<Limit>> {
    OF_THREAD.with_borrow(Clone::clone)
}

/// Lets so many through at a time, in the order in which they ask.
///
/// A synchronous call does not wait for permits that others than itself hold: those around it stand still
/// until it returns, and nobody drives those that have ended.
pub(super) struct Limit {
    most: usize,
    /// Whose permits are out.
    held: RefCell<Vec<Option<TaskId>>>,
    waiting: RefCell<VecDeque<Waiter>>,
}

struct Waiter {
    call: Option<TaskId>,
    promise: Promise<Permit>,
    /// Gone when it has been given up.
    wanted: Weak<()>,
}

/// Leave to be in flight, until it is dropped.
pub(super) struct Permit {
    limit: Rc<Limit>,
    call: Option<TaskId>,
}

impl Limit {
    pub(super) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self { most, held: RefCell::default(), waiting: RefCell::default() })
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
        self.held.borrow().len() < self.most
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
            let place = held.iter().position(|call| *call == self.call);
            held.swap_remove(place.expect("it is held until now"));
        }
        if !limit.has_room() {
            return;
        }
        while let Some(next) = limit.next_waiter() {
            // Passed over if it was given up: its permit would be dropped inside of this one.
            if next.wanted.strong_count() > 0 {
                next.promise.set_value(Rc::clone(limit).permit(next.call));
                return;
            }
        }
    }
}
