//! Futures of values and errors that are known already.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::base::{FutureBase, joins_as_itself};
use crate::scheduler::{Request, Requester};

/// Future of a value that is known already.
///
/// ```
/// use asynq::{ConstFuture, FutureBase};
///
/// assert_eq!(ConstFuture::new(7).value(), 7);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct ConstFuture<T> {
    value: Option<T>,
}

impl<T> ConstFuture<T> {
    /// Creates a future whose value is `value`.
    pub const fn new(value: T) -> Self {
        Self { value: Some(value) }
    }

    fn into_value(self) -> T {
        self.value.expect("a ConstFuture was asked for its value after it had returned it")
    }
}

// The value is never pinned.
impl<T> Unpin for ConstFuture<T> {}

impl<T> Future for ConstFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(Request::take(&mut *self))
    }
}

impl<T> Request for ConstFuture<T> {
    fn request(&mut self, _: &Requester<'_>) -> bool {
        false
    }

    fn take(&mut self) -> T {
        self.value.take().expect("a ConstFuture was polled after it had returned its value")
    }
}

impl<T> FutureBase for ConstFuture<T> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        true
    }

    fn value(self) -> T {
        self.into_value()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        callback();
    }
}

/// Future of an error that is known already: its value is `Err(error)`.
///
/// ```
/// use asynq::{ErrorFuture, FutureBase};
///
/// assert_eq!(ErrorFuture::<u32, _>::new("gone").value(), Err("gone"));
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct ErrorFuture<T, E> {
    inner: ConstFuture<Result<T, E>>,
}

impl<T, E> ErrorFuture<T, E> {
    /// Creates a future whose value is `Err(error)`.
    pub const fn new(error: E) -> Self {
        Self { inner: ConstFuture::new(Err(error)) }
    }
}

impl<T, E> Future for ErrorFuture<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Request::take(&mut *self))
    }
}

impl<T, E> Request for ErrorFuture<T, E> {
    fn request(&mut self, _: &Requester<'_>) -> bool {
        false
    }

    fn take(&mut self) -> Self::Output {
        self.inner.take()
    }
}

impl<T, E> FutureBase for ErrorFuture<T, E> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        true
    }

    fn value(self) -> Self::Output {
        self.inner.into_value()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        callback();
    }
}
