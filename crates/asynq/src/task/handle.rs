//! Tasks: calls of async functions.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use asynq_engine::TaskId;
use pin_cell::PinMut;

use super::deferred_drop;
use crate::call_stack::{Origin, Site};
use crate::error::{TaskError, TaskErrorKind};
use crate::futures::{FutureBase, sealed};
use crate::scheduler::poll::{self, Asking};
use crate::scheduler::{self, Scheduler};
use crate::task::computation::{AnyComputation, BodyOf, Computation, Run, pass_on};

/// A call of an async function that runs when it is first awaited, or asked for its value.
///
/// Awaiting it, or calling [`value`](FutureBase::value), gives the value the function returns.
/// Where the value can be cloned, so can the task: it still runs only once, and each clone gives
/// the value.
///
/// A task belongs to the thread it was made on. When its last handle is dropped before its end, it
/// is cancelled.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, all};
///
/// let double = |n: u32| AsyncTask::new(async move { 2 * n });
/// let sum = AsyncTask::new(async move {
///     let doubled = all((1..=3).map(double)).await;
///     doubled.into_iter().sum::<u32>()
/// });
/// assert_eq!(sum.value(), 12);
/// ```
#[must_use = "a task does not start before it is awaited or asked for its value"]
pub struct AsyncTask<T: 'static> {
    pub(super) cell: Pin<Rc<Computation<dyn BodyOf<T>>>>,
    /// How to clone the value. Set when the task is cloned, the only place where it is known that
    /// the value can be cloned; so where there are several handles, each of them has it.
    pub(super) clone_value: Cell<Option<CloneValue<T>>>,
}

pub(super) type CloneValue<T> = fn(&T) -> T;

impl<T: 'static> AsyncTask<T> {
    /// A task that runs `future`. It is what `#[asynq]` makes of a call; use it to give a task of
    /// its own to a block, or to a future from elsewhere.
    #[track_caller]
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
        static BLOCK: Site = Site::new("async block");
        Self::with_site(&BLOCK, future)
    }

    #[track_caller]
    pub(crate) fn with_site(
        site: &'static Site,
        future: impl Future<Output = T> + 'static,
    ) -> Self {
        Self::made_at(site, Location::caller(), future)
    }

    pub(crate) fn made_at(
        site: &'static Site,
        at: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Self {
        let creator = scheduler::with(Scheduler::creator);
        let origin = Origin { site, at, creator };
        let cell = Computation::new(origin, Run::Pending { future });
        Self { cell, clone_value: Cell::new(None) }
    }

    /// The value now, as [`value`](FutureBase::value), or why there is none.
    ///
    /// # Errors
    ///
    /// If the task panicked, was cancelled, or can never run.
    ///
    /// ```
    /// use asynq::{AsyncTask, TaskErrorKind};
    ///
    /// let task = AsyncTask::new(async { [1, 2, 3].iter().position(|&n| n == 4).unwrap() });
    /// assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Panicked);
    /// ```
    pub fn outcome(self) -> Result<T, TaskError> {
        if !self.is_computed() {
            let root = self.register();
            scheduler::with(|scheduler| scheduler.call(root))?;
        }
        self.result()
    }

    /// Ends the task without a value. Those who wait for it fail with a
    /// [`TaskErrorKind::Cancelled`]. Does nothing to a task that has ended.
    pub fn cancel(&self) {
        if self.is_computed() {
            return;
        }
        let message = format!("{} was cancelled", self.cell);
        let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
        // A task that its own body cancels goes on to the end of this poll.
        pass_on(self.cell.as_ref().cancel(error));
    }

    /// The id in the engine of a task that has not ended.
    pub(crate) fn register(&self) -> TaskId {
        scheduler::with(|scheduler| self.register_with(scheduler))
    }

    #[inline]
    fn register_with(&self, scheduler: &Scheduler) -> TaskId {
        self.cell.id.get().unwrap_or_else(|| {
            let id = scheduler.engine().add_task(self.any());
            self.cell.id.set(Some(id));
            scheduler.tell();
            id
        })
    }

    fn any(&self) -> AnyComputation {
        Pin::clone(&self.cell) as AnyComputation
    }

    /// What the task has ended with, for one of its handles.
    fn result(&self) -> Result<T, TaskError> {
        if let Some(error) = self.cell.failure() {
            return Err(error);
        }
        if let (Some(clone), 2..) = (self.clone_value.get(), self.cell.handles.get())
            && let Some(value) = self.cell.shared_body().value()
        {
            return Ok(clone(value));
        }
        Ok(PinMut::as_mut(&mut self.cell.as_ref().body())
            .take()
            .expect("a task was polled after its end"))
    }
}

impl<T: 'static> FutureBase for AsyncTask<T> {
    fn is_computed(&self) -> bool {
        self.cell.is_computed()
    }

    fn value(self) -> T {
        self.outcome().unwrap_or_else(|error| error.throw())
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.listeners.call(callback);
    }
}

impl<T: 'static> sealed::Request for AsyncTask<T> {
    #[inline]
    fn request(&mut self, &Asking { scheduler, waker }: &Asking<'_>) -> bool {
        if self.is_computed() {
            return false;
        }
        let id = self.register_with(scheduler);
        scheduler.engine().depend(id);
        if let Some(waker) = waker {
            self.cell.listeners.wake(waker);
            scheduler.asked_by_foreign(id.into());
        }
        true
    }

    fn take(&mut self) -> T {
        self.result().unwrap_or_else(|error| error.throw())
    }
}

impl<T: 'static> Future for AsyncTask<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        poll::poll(&mut *self, cx)
    }
}

/// Another handle to the same task: it runs once, and each handle gives the value.
impl<T: Clone + 'static> Clone for AsyncTask<T> {
    fn clone(&self) -> Self {
        self.clone_value.set(Some(T::clone));
        self.cell.handles.set(self.cell.handles.get() + 1);
        Self { cell: Pin::clone(&self.cell), clone_value: self.clone_value.clone() }
    }
}

impl<T: 'static> Drop for AsyncTask<T> {
    fn drop(&mut self) {
        let handles = self.cell.handles.get() - 1;
        self.cell.handles.set(handles);
        if handles == 0 && !self.is_computed() {
            let buried = deferred_drop::bury(self.any());
            self.cell.end(None);
            pass_on(buried);
        }
    }
}

impl<T: 'static> fmt::Debug for AsyncTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.is_computed() {
            false if self.cell.id.get().is_none() => "not started",
            false => "pending",
            true if self.cell.failure().is_some() => "failed",
            true => "computed",
        };
        write!(f, "AsyncTask({}, {state})", self.cell)
    }
}
