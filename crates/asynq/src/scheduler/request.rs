//! Requests for the values of futures.

use std::future::Future;
use std::task::Waker;

use asynq_engine::Dependency;

use super::state::Scheduler;

/// The part of a future of this crate that [`all`](crate::all) needs.
///
/// Only this crate can implement it: the future must not wake anybody before it is computed, and
/// its value must be there as soon as it is.
pub trait Request: Future {
    /// Requests the value: adds the things that it waits for to the dependencies of the running
    /// task. Returns whether there are any.
    fn request(&mut self, requester: &Requester<'_>) -> bool;

    /// Takes the value, when there is nothing to wait for.
    fn take(&mut self) -> Self::Output;
}

/// The task or combinator that requests a value.
pub struct Requester<'a> {
    pub(crate) scheduler: &'a Scheduler,
    /// Waker of a combinator that polls only the futures by which it was woken.
    pub(crate) waker: Option<&'a Waker>,
}

impl Scheduler {
    /// Registers a dependency of a combinator with wakers of its own. Another task may poll that
    /// combinator later, without a request for `on`.
    #[cold]
    pub(crate) fn register_for_combinator(&self, on: Dependency) {
        if !self.is_polling() {
            return self.foreign.push(on);
        }
        let mut combinators = self.combinators.borrow_mut();
        if combinators.len() == combinators.capacity() {
            let engine = self.engine();
            combinators.retain(|&on| !engine.is_computed(on));
        }
        combinators.push(on);
    }

    /// Makes the current frame drive the dependencies of all combinators, before the thread sleeps.
    pub(super) fn need_combinators(&self) {
        let mut combinators = self.combinators.borrow_mut();
        let mut engine = self.engine();
        combinators.retain(|&on| !engine.is_computed(on));
        for &on in &*combinators {
            engine.need(on);
        }
    }
}
