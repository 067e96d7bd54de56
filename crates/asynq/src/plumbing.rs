//! Support for the expansions of the macros. Not a public API: it changes without notice.

#[cfg(feature = "mock")]
use std::future::Ready;

pub use crate::async_call::{Returned, ReturnedFuture, ReturnedValue};
pub use crate::call_stack::Site;
#[cfg(feature = "mock")]
use crate::mock::MockedCall;
use crate::task::{AsyncCall, AsyncTask, Call};

/// Creates a call of the async function at `site`.
#[track_caller]
pub fn call<F>(site: &'static Site, future: F) -> Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    Call::new(site, future)
}

/// Creates the task of a call of the async function at `site`, which calls itself.
#[track_caller]
pub fn task<T: 'static>(
    site: &'static Site,
    future: impl Future<Output = T> + 'static,
) -> AsyncTask<T> {
    AsyncTask::with_site(site, future)
}

/// Creates a call whose value is that of a mock.
#[cfg(feature = "mock")]
pub fn mocked<F>(mock: MockedCall<AsyncTask<F::Output>>) -> Call<F>
where
    F: Future<Output: 'static> + 'static,
{
    match mock {
        MockedCall::Local(task) => Call::mocked(task),
        MockedCall::Everywhere(value) => Call::mocked_everywhere(value),
    }
}

/// Returns the task of a mock.
#[cfg(feature = "mock")]
pub fn mocked_task<T: 'static>(mock: MockedCall<AsyncTask<T>>) -> AsyncTask<T> {
    match mock {
        MockedCall::Local(task) => task,
        MockedCall::Everywhere(value) => Call::<Ready<T>>::mocked_everywhere(value).task(),
    }
}

/// Returns the value of a mock.
#[cfg(feature = "mock")]
pub fn mocked_value<T: 'static>(mock: MockedCall<AsyncTask<T>>) -> T {
    crate::FutureBase::value(mocked_task(mock))
}

/// Returns what the mock of a proxy returns.
///
/// # Panics
///
/// If the proxy is replaced in all threads.
#[cfg(feature = "mock")]
pub fn mocked_proxy<Out>(mock: MockedCall<Out>) -> Out {
    match mock {
        MockedCall::Local(future) => future,
        MockedCall::Everywhere(_) => {
            panic!("an `#[async_proxy]` cannot be replaced everywhere: replace what it calls")
        }
    }
}

/// Runs a plain call to its value.
#[track_caller]
pub fn value<C: AsyncCall>(call: C) -> C::Output {
    call.value()
}

/// Returns the clone of a borrowed `self` that a task owns.
pub fn own<S: Own>(this: &S) -> S {
    this.clone()
}

/// Type of a `self` that a task can own.
#[diagnostic::on_unimplemented(
    message = "an asynq method that takes `&self` needs `{Self}: Clone`",
    note = "a task outlives the borrow it was made from, so it keeps a clone of `self`: derive \
            `Clone` for a cheap handle, or take `self: Rc<Self>`"
)]
pub trait Own: Clone {}

impl<S: Clone> Own for S {}

/// Returns the value of the mock of a function, if it has one. Expands to nothing without the feature
/// `mock`.
#[cfg(not(feature = "mock"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __asynq_mockable {
    ($function:expr, $arguments:expr, $future:ty, $finish:expr) => {};
}

#[cfg(feature = "mock")]
#[doc(hidden)]
#[macro_export]
macro_rules! __asynq_mockable {
    ($function:expr, $arguments:expr, $future:ty, $finish:expr) => {
        if let ::core::option::Option::Some(mock) = $crate::mock::find::<_, _, $future>(&$function)
        {
            return $finish(mock.call($arguments));
        }
    };
}

pub use crate::__asynq_mockable as mockable;
