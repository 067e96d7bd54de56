//! The common trait of all futures of this crate.

use std::future::Future;
use std::panic::Location;

use super::parts::Parts;
use crate::scheduler::{self, Request};
use crate::task::{BLOCK, on_stack};

/// Future of this crate: a call of an async function, a task, an item of a batch, a known value, or a join of
/// these.
///
/// It can be awaited, and it can be asked for its value from anywhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future of asynq",
    note = "make a task of another future: `AsyncTask::new(future)`"
)]
pub trait FutureBase: Future + Sized {
    /// The future in a join: a call has a form of its own there, and any other future is itself.
    #[doc(hidden)]
    type Joined: FutureBase<Output = Self::Output> + Request;

    #[doc(hidden)]
    fn into_joined(self) -> Self::Joined;

    /// The futures of an iterator in a join.
    #[doc(hidden)]
    type JoinedAll: Parts<Output = Vec<Self::Output>>;

    #[doc(hidden)]
    fn join_all(futures: impl Iterator<Item = Self>) -> Self::JoinedAll;

    /// The return type of a mock: the task of a call, and itself of any other future.
    #[doc(hidden)]
    type Mocked;

    #[doc(hidden)]
    fn into_mocked(self) -> Self::Mocked;

    /// Returns whether the future is resolved, so that awaiting it would not wait.
    fn is_computed(&self) -> bool;

    /// Returns the value now: runs the tasks that it takes, and flushes the batches that they wait
    /// for. May be called from anywhere, also inside a task, at any depth.
    ///
    /// # Panics
    ///
    /// If a task behind the future panicked, was cancelled, or took part in a deadlock
    /// ([`TaskError`](crate::TaskError)).
    #[track_caller]
    fn value(self) -> Self::Output
    where
        Self: 'static,
        Self::Output: 'static,
    {
        match on_stack::call(&BLOCK, Location::caller(), self) {
            Ok(value) => value,
            Err(error) => scheduler::throw(error),
        }
    }

    /// Calls `callback` when the future is resolved, or at once if it is. This alone does not make
    /// the future run. Make a task of a call first ([`AsyncCall::task`](crate::AsyncCall::task)).
    fn on_computed(&self, callback: impl FnOnce() + 'static)
    where
        Self: Request;
}

/// The items of a [`FutureBase`] that has no other form in joins and mocks.
macro_rules! joins_as_itself {
    () => {
        type Joined = Self;

        fn into_joined(self) -> Self {
            self
        }

        type JoinedAll = Vec<Self>;

        fn join_all(futures: impl Iterator<Item = Self>) -> Vec<Self> {
            futures.collect()
        }

        type Mocked = Self;

        fn into_mocked(self) -> Self {
            self
        }
    };
}
pub(crate) use joins_as_itself;
