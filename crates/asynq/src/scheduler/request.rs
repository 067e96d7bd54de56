//! Requests for the values of futures.

use std::future::Future;
use std::task::Waker;

use asynq_engine::Dependency;

use super::state::Scheduler;

/// The part of a future of this crate that [`all`](crate::all) needs.
///
/// Only this crate can implement it: the future must not wake anybody before it is computed, and
/// its value must be there as soon as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task or another future that can be shared",
    note = "make a task of a call: `f::asynq(a).task()`"
)]
pub trait Request: Future + Unpin {
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
    /// Registers a request of a combinator with a `waker` of its own. Later polls of the
    /// combinator, by this task or another, do not repeat the request.
    #[cold]
    pub(crate) fn register_for_combinator(&self, on: Dependency, waker: &Waker) {
        if !self.is_polling() {
            return self.foreign.push(on);
        }
        self.note_nested(on);
        let mut combinators = self.combinators.borrow_mut();
        if combinators.len() == combinators.capacity() {
            let engine = self.engine();
            combinators.retain(|(on, _)| !engine.is_computed(*on));
        }
        combinators.push((on, waker.clone()));
    }

    /// Notes what a future waits for that is polled with another waker than that of the task.
    pub(crate) fn note_nested(&self, on: Dependency) {
        if self.is_polling() {
            self.nested_polled.borrow_mut().push(on);
        }
    }

    /// Wakes the combinators whose requests the innermost call does not drive, before it sleeps.
    ///
    /// The call may wait for such a combinator, which a task outside of it has polled first. The
    /// scheduler does not know who has the combinator now, and must not drive what the call does
    /// not need. So it makes the combinator request again: a task of this call will do so under
    /// this call, any other task when its turn comes.
    pub(super) fn wake_combinators(&self) {
        let undriven: Vec<_> = {
            let (engine, mut combinators) = (self.engine(), self.combinators.borrow_mut());
            combinators.retain(|(on, _)| !engine.is_computed(*on));
            combinators.extract_if(.., |(on, _)| !engine.is_driven(*on)).collect()
        };
        for (_, waker) in undriven {
            waker.wake();
        }
    }
}
