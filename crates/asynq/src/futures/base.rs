//! What all futures of this crate have in common, and those that need no scheduler.

use std::any::Any;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::callbacks::Callbacks;
use crate::scheduler::poll::Asking;
use crate::task::AsyncTask;

pub(crate) mod sealed {
    use std::future::Future;

    use crate::scheduler::poll::Asking;

    /// What [`all`](crate::all) needs of a future. Only this crate can promise it: that the future
    /// wakes nobody before it is computed, and that its value is there as soon as it says so.
    pub trait Request: Future {
        /// The running task asks for this future: what it has to wait for is told to the engine.
        /// Returns whether there is anything to wait for.
        fn request(&mut self, asking: &Asking<'_>) -> bool;

        /// The value, when there is nothing to wait for.
        fn take(&mut self) -> Self::Output;
    }
}

/// A future of this crate: a task, an item of a batch, a known value, a join of these.
///
/// Besides being awaited, it can be asked for its value from anywhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future of asynq",
    note = "make a task of another future: `AsyncTask::new(future)`"
)]
pub trait FutureBase: Future + sealed::Request + Sized + Unpin {
    /// Whether the value is there, so that awaiting it would not wait.
    fn is_computed(&self) -> bool;

    /// The value, now: runs what it takes, and flushes what that waits for, before it returns.
    /// May be called from anywhere, also inside a task, at any depth.
    ///
    /// # Panics
    ///
    /// If a task behind it panicked, was cancelled, or can never run
    /// ([`TaskError`](crate::TaskError)).
    #[track_caller]
    fn value(self) -> Self::Output
    where
        Self: 'static,
        Self::Output: 'static,
    {
        AsyncTask::new(self).value()
    }

    /// Calls `callback` once the value is there: at once if it is already. What is not awaited by
    /// anyone, nor asked for its value, is not computed by this either.
    fn on_computed(&self, callback: impl FnOnce() + 'static);
}

/// A value that is known already.
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
    /// A future whose value is `value`.
    pub const fn new(value: T) -> Self {
        Self { value: Some(value) }
    }

    fn into_value(self) -> T {
        self.value.expect("a ConstFuture was asked for its value after its end")
    }
}

// Nothing in here is ever pinned.
impl<T> Unpin for ConstFuture<T> {}

impl<T> Future for ConstFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(sealed::Request::take(&mut *self))
    }
}

impl<T> sealed::Request for ConstFuture<T> {
    fn request(&mut self, _: &Asking<'_>) -> bool {
        false
    }

    fn take(&mut self) -> T {
        self.value.take().expect("a ConstFuture was polled after its end")
    }
}

impl<T> FutureBase for ConstFuture<T> {
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

/// An error that is known already: a future whose value is `Err(error)`.
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
    /// A future whose value is `Err(error)`.
    pub const fn new(error: E) -> Self {
        Self { inner: ConstFuture::new(Err(error)) }
    }
}

impl<T, E> Future for ErrorFuture<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(sealed::Request::take(&mut *self))
    }
}

impl<T, E> sealed::Request for ErrorFuture<T, E> {
    fn request(&mut self, _: &Asking<'_>) -> bool {
        false
    }

    fn take(&mut self) -> Self::Output {
        self.inner.take()
    }
}

impl<T, E> FutureBase for ErrorFuture<T, E> {
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

/// A value that is computed by a plain function when it is first asked for, and not before.
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
    listeners: Callbacks,
}

enum Lazy<T> {
    Provider(Box<dyn FnOnce() -> T>),
    Computed(T),
    /// Kept, so that whatever is awaited together with this still runs to its end.
    Panicked(Box<dyn Any + Send>),
    Taken,
}

impl<T> LazyFuture<T> {
    /// A future whose value is what `provider` returns.
    pub fn new(provider: impl FnOnce() -> T + 'static) -> Self {
        Self { state: Lazy::Provider(Box::new(provider)), listeners: Callbacks::default() }
    }

    fn compute(&mut self) {
        match mem::replace(&mut self.state, Lazy::Taken) {
            Lazy::Provider(provider) => {
                self.state = match catch_unwind(AssertUnwindSafe(provider)) {
                    Ok(value) => Lazy::Computed(value),
                    Err(payload) => Lazy::Panicked(payload),
                };
                self.listeners.announce();
            }
            computed => self.state = computed,
        }
    }
}

impl<T> Unpin for LazyFuture<T> {}

impl<T> Future for LazyFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(sealed::Request::take(&mut *self))
    }
}

impl<T> sealed::Request for LazyFuture<T> {
    fn request(&mut self, _: &Asking<'_>) -> bool {
        self.compute();
        false
    }

    fn take(&mut self) -> T {
        self.compute();
        match mem::replace(&mut self.state, Lazy::Taken) {
            Lazy::Computed(value) => value,
            Lazy::Panicked(payload) => resume_unwind(payload),
            _ => panic!("a LazyFuture was polled after its end"),
        }
    }
}

impl<T> FutureBase for LazyFuture<T> {
    fn is_computed(&self) -> bool {
        !matches!(self.state, Lazy::Provider(_))
    }

    fn value(mut self) -> T {
        sealed::Request::take(&mut self)
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.listeners.call(callback);
    }
}
