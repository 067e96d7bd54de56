//! A future of a value that is computed on demand.

use std::any::Any;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::base::{FutureBase, joins_as_itself};
use crate::callbacks::Callbacks;
use crate::scheduler::{Request, Requester};

/// Future of a value that a plain function computes when it is first requested.
///
/// ```
/// use asynq::{FutureBase, LazyFuture};
///
/// let answer = LazyFuture::new(|| 6 * 7);
/// assert!(!answer.is_computed());
/// assert_eq!(answer.value(), 42);
/// ```
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct LazyFuture<T> {
    state: Lazy<T>,
    callbacks: Callbacks,
}

enum Lazy<T> {
    Provider(Box<dyn FnOnce() -> T>),
    Computed(T),
    /// The panic is kept, so that the futures awaited together with this one still run to their end.
    Panicked(Box<dyn Any + Send>),
    Taken,
}

impl<T> LazyFuture<T> {
    /// Creates a future of the value that `provider` returns.
    pub fn new(provider: impl FnOnce() -> T + 'static) -> Self {
        Self { state: Lazy::Provider(Box::new(provider)), callbacks: Callbacks::default() }
    }

    fn compute(&mut self) {
        match mem::replace(&mut self.state, Lazy::Taken) {
            Lazy::Provider(provider) => {
                self.state = match catch_unwind(AssertUnwindSafe(provider)) {
                    Ok(value) => Lazy::Computed(value),
                    Err(payload) => Lazy::Panicked(payload),
                };
                self.callbacks.run();
            }
            computed => self.state = computed,
        }
    }
}

impl<T> Unpin for LazyFuture<T> {}

impl<T> Future for LazyFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(Request::take(&mut *self))
    }
}

impl<T> Request for LazyFuture<T> {
    fn request(&mut self, _: &Requester<'_>) -> bool {
        self.compute();
        false
    }

    fn take(&mut self) -> T {
        self.compute();
        match mem::replace(&mut self.state, Lazy::Taken) {
            Lazy::Computed(value) => value,
            Lazy::Panicked(payload) => resume_unwind(payload),
            _ => panic!("a LazyFuture was polled after it had returned its value"),
        }
    }
}

impl<T> FutureBase for LazyFuture<T> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        !matches!(self.state, Lazy::Provider(_))
    }

    fn value(mut self) -> T {
        Request::take(&mut self)
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.callbacks.add(callback);
    }
}
