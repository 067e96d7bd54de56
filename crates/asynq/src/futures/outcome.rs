//! Values or failures of futures.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::base::{FutureBase, joins_as_itself};
use crate::error::TaskError;
use crate::scheduler::{self, Request, Requester};

/// Awaits a future without passing on its failure: the value is a `Result`.
///
/// Within [`all`](crate::all), the failure of one future then does not hide the values of the others.
///
/// ```
/// use asynq::{all, asynq, outcome};
///
/// #[asynq]
/// async fn half(n: u32) -> u32 {
///     assert!(n % 2 == 0, "{n} is odd");
///     n / 2
/// }
///
/// #[asynq]
/// async fn halves(count: u32) -> Vec<Option<u32>> {
///     let outcomes = all((0..count).map(|n| outcome(half::asynq(n)))).await;
///     outcomes.into_iter().map(Result::ok).collect()
/// }
///
/// assert_eq!(halves(3), [Some(0), None, Some(1)]);
/// ```
pub fn outcome<F: FutureBase>(future: F) -> Outcome<F::Joined> {
    Outcome { future: future.into_joined() }
}

/// Future of [`outcome`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct Outcome<R> {
    future: R,
}

impl<R: Request> Request for Outcome<R> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.future.request(requester)
    }

    fn take(&mut self) -> Self::Output {
        catch_unwind(AssertUnwindSafe(|| self.future.take()))
            .map_err(|payload| scheduler::with(|scheduler| scheduler.failure(payload)))
    }
}

impl<R: Request> Future for Outcome<R> {
    type Output = Result<R::Output, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<R: FutureBase + Request> FutureBase for Outcome<R> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.future.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.future.on_computed(callback);
    }
}
