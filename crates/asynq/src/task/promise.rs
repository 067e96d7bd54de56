//! Promises: futures whose values are set by other code.

use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use pin_cell::PinMut;

use super::computation::{AnyComputation, Body, Computation};
use super::end;
use crate::call_stack::{Origin, Site};
use crate::error::{TaskError, TaskErrorKind};
use crate::futures::{FutureBase, joins_as_itself};
use crate::recording;
use crate::scheduler::{self, Request, Requester, Scheduler};

/// Setter of a [`promise`]. Dropping it without a value makes the tasks that wait fail.
pub struct Promise<T: 'static> {
    cell: Pin<Rc<Computation<Place<T>>>>,
}

/// Future of a [`promise`].
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct PromiseFuture<T: 'static> {
    cell: Pin<Rc<Computation<Place<T>>>>,
}

/// Place for the value.
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

/// Creates a future and the setter of its value, for another task, a callback or a flush.
///
/// Both halves belong to one thread. To wait for another thread, await a channel or any other
/// future.
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

/// Creates a promise that is called `site` in reports.
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
    /// Sets the value, and wakes the tasks that wait for it.
    pub fn set_value(self, value: T) {
        PinMut::as_mut(&mut self.cell.as_ref().body()).0 = Some(value);
        end::end(&self.cell, None);
    }
}

impl<T: 'static> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.cell.is_computed() {
            let message = format!("the {} was dropped before its value was set", self.cell);
            let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
            end::end(&self.cell, Some(error));
        }
    }
}

impl<T: 'static> FutureBase for PromiseFuture<T> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.add_callback(callback);
    }
}

impl<T: 'static> Request for PromiseFuture<T> {
    fn request(&mut self, &Requester { scheduler, waker }: &Requester<'_>) -> bool {
        if self.is_computed() {
            return false;
        }
        let id = self.cell.id.get().unwrap_or_else(|| {
            let payload =
                AnyComputation::Alone(Pin::clone(&self.cell) as Pin<Rc<Computation<dyn Body>>>);
            let id = scheduler.engine().add_promise(payload);
            if recording::is_on() {
                self.cell.record_creation(id);
            }
            id
        });
        self.cell.id.set(Some(id));
        scheduler.engine().depend(id);
        // Nobody has to drive a promise, so a combinator needs no more than the wake-up.
        if let Some(waker) = waker {
            self.cell.add_waker(waker);
            scheduler.note_nested(id.into());
        }
        true
    }

    fn take(&mut self) -> T {
        if let Some(error) = self.cell.failure() {
            scheduler::throw(error);
        }
        let value = mem::take(&mut PinMut::as_mut(&mut self.cell.as_ref().body()).0);
        value.unwrap_or_else(|| {
            panic!("the {} was polled after it had returned its value", self.cell)
        })
    }
}

impl<T: 'static> Future for PromiseFuture<T> {
    type Output = T;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        scheduler::poll(&mut *self, cx)
    }
}
