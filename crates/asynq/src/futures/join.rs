//! Awaiting many futures at once.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::base::{FutureBase, joins_as_itself};
use super::joinable::{Joinable, Transpose};
use super::parts::Parts;
use crate::scheduler::{self, Request, Requester};

/// Awaits many futures together: an iterator of them, a `Vec`, an array, an `Option`, a tuple of up
/// to twelve, or the values of a map. The value has the same shape; an iterator gives a `Vec`.
///
/// The futures start in the order given, which for maps is the order of iteration (sorted by key in
/// a `BTreeMap`, arbitrary in a `HashMap`). The task goes on, once, when all of them are computed. A
/// join is a future of this crate itself, so it can be part of another join.
///
/// # Panics
///
/// The join panics if one of its futures does (see [`TaskError`](crate::TaskError)): with the
/// first panic in the order given, after all the others have ended.
///
/// ```
/// use asynq::{ConstFuture, FutureBase, all};
///
/// assert_eq!(all((1..=3).map(ConstFuture::new)).value(), [1, 2, 3]);
/// let (n, name) = all((ConstFuture::new(1), ConstFuture::new("one"))).value();
/// assert_eq!((n, name), (1, "one"));
/// ```
///
/// Make a task of a future from elsewhere first, by `AsyncTask::new(future)`:
///
/// ```compile_fail,E0277
/// let _ = asynq::all([std::future::ready(1)]);
/// ```
pub fn all<Kind, J: Joinable<Kind>>(futures: J) -> All<J::Parts> {
    All { parts: futures.into_parts(), ended: false }
}

/// Awaits many futures of `Result`s together, as [`all`] does. Returns all the values, or one error.
///
/// The error is the first in the order given, not the first in time. All the other futures have run
/// to their end by then; their values and errors are dropped.
///
/// # Panics
///
/// As [`all`]. A panic of any future takes precedence over an `Err` of any other.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, try_all};
///
/// let parse = |text: &'static str| AsyncTask::new(async move { text.parse::<u32>() });
/// assert_eq!(try_all(["1", "2"].map(parse)).value(), Ok([1, 2]));
/// let error = try_all(["1", "x", ""].map(parse)).value().unwrap_err();
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
pub fn try_all<Kind, J>(futures: J) -> TryAll<J::Parts>
where
    J: Joinable<Kind>,
    <J::Parts as Parts>::Output: Transpose,
{
    TryAll { all: all(futures) }
}

/// Future of [`all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct All<P> {
    parts: P,
    ended: bool,
}

impl<P: Parts> Request for All<P> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.parts.request(requester)
    }

    fn take(&mut self) -> P::Output {
        assert!(
            !mem::replace(&mut self.ended, true),
            "a join was polled after it had returned its values"
        );
        self.parts.take()
    }
}

impl<P: Parts> Future for All<P> {
    type Output = P::Output;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<P::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<P: Parts> FutureBase for All<P> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.parts.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.parts.on_computed(Box::new(callback));
    }
}

/// Future of [`try_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct TryAll<P> {
    all: All<P>,
}

impl<P: Parts<Output: Transpose>> Request for TryAll<P> {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.all.request(requester)
    }

    fn take(&mut self) -> Self::Output {
        self.all.take().transpose()
    }
}

impl<P: Parts<Output: Transpose>> Future for TryAll<P> {
    type Output = <P::Output as Transpose>::Output;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        scheduler::poll(&mut *self, cx)
    }
}

impl<P: Parts<Output: Transpose>> FutureBase for TryAll<P> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.all.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.all.on_computed(callback);
    }
}
