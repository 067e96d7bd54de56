//! A future that is set from outside.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_cell::PinMut;

use crate::call_stack::{Origin, Site};
use crate::error::{TaskError, TaskErrorKind};
use crate::futures::{FutureBase, sealed};
use crate::scheduler::poll::{self, Asking};
use crate::scheduler::{self, Scheduler};
use crate::task::computation::{AnyComputation, Body, Computation};

/// The side of a [`promise`] that sets the value. Dropped without a value, it makes those who
/// wait fail.
pub struct Promise<T: 'static> {
    cell: Pin<Rc<Computation<Place<T>>>>,
}

/// The side of a [`promise`] that is awaited.
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct PromiseFuture<T: 'static> {
    cell: Pin<Rc<Computation<Place<T>>>>,
}

/// Where the value goes.
struct Place<T>(Option<T>);

// Nothing in here is ever pinned.
impl<T> Unpin for Place<T> {}

impl<T> Body for Place<T> {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("the engine does not run promises")
    }

    fn clear(mut self: Pin<&mut Self>) {
        self.0 = None;
    }
}

/// A future that is set from outside: by another task, a callback, a flush.
///
/// Both sides belong to one thread. To be woken from another thread, await a channel instead (any
/// future will do).
///
/// ```
/// use asynq::{AsyncTask, FutureBase, all, promise};
///
/// let (promise, future) = promise();
/// let reader = AsyncTask::new(async move { future.await + 1 });
/// let writer = AsyncTask::new(async move { promise.set_value(41) });
/// assert_eq!(all((reader, writer)).value().0, 42);
/// ```
#[track_caller]
pub fn promise<T: 'static>() -> (Promise<T>, PromiseFuture<T>) {
    static PROMISE: Site = Site::made("promise");
    promise_at(&PROMISE, Location::caller())
}

/// A promise with a name of its own.
pub(crate) fn promise_at<T: 'static>(
    site: &'static Site,
    at: &'static Location<'static>,
) -> (Promise<T>, PromiseFuture<T>) {
    let creator = scheduler::with(Scheduler::creator);
    let origin = Origin { site, at, creator };
    let cell = Computation::new(origin, Place(None));
    (Promise { cell: Pin::clone(&cell) }, PromiseFuture { cell })
}

impl<T: 'static> Promise<T> {
    /// Sets the value. Those who wait for it go on when the scheduler comes to them.
    pub fn set_value(self, value: T) {
        PinMut::as_mut(&mut self.cell.as_ref().body()).0 = Some(value);
        self.cell.end(None);
    }
}

impl<T: 'static> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.cell.is_computed() {
            let message = format!("the {} was dropped before it was set", self.cell);
            let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
            self.cell.end(Some(error));
        }
    }
}

impl<T: 'static> FutureBase for PromiseFuture<T> {
    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.listeners.call(callback);
    }
}

impl<T: 'static> sealed::Request for PromiseFuture<T> {
    fn request(&mut self, &Asking { scheduler, waker }: &Asking<'_>) -> bool {
        if self.is_computed() {
            return false;
        }
        let id = self.cell.id.get().unwrap_or_else(|| {
            let payload = Pin::clone(&self.cell) as AnyComputation;
            scheduler.engine().add_promise(payload)
        });
        self.cell.id.set(Some(id));
        scheduler.engine().depend(id);
        // Nobody has to drive it, so a foreign combinator needs no more than the wake-up.
        if let Some(waker) = waker {
            self.cell.listeners.wake(waker);
        }
        true
    }

    fn take(&mut self) -> T {
        if let Some(error) = self.cell.failure() {
            error.throw();
        }
        let value = mem::take(&mut PinMut::as_mut(&mut self.cell.as_ref().body()).0);
        value.expect("a promise was polled after its end")
    }
}

impl<T: 'static> Future for PromiseFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        poll::poll(&mut *self, cx)
    }
}
