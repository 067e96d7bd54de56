//! The handle to a task.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use asynq_engine::TaskId;

use super::computation::{AnyComputation, Body, BodyOf, Computation, Run};
use super::{deferred_drop, end, request};
use crate::call_stack::{Creator, Origin, Site};
use crate::error::{TaskError, TaskErrorKind};
use crate::scheduler::{self, Requester, Scheduler};

/// Call of an async function, which starts when it is first awaited or asked for its value.
///
/// Awaiting the task, or calling [`value`](crate::FutureBase::value), returns the value of the
/// function. A task whose value is `Clone` can be cloned: it still runs once, and each clone
/// returns the value.
///
/// A task belongs to the thread that created it. Dropping the last handle cancels a task that has
/// not ended.
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
    /// Clones the value. Set when the task is cloned, where the value is known to be `Clone`; so
    /// whenever there are several handles, each of them has it.
    pub(super) clone_value: Cell<Option<CloneValue<T>>>,
}

pub(super) type CloneValue<T> = fn(&T) -> T;

/// Site of a future that is no call of a function.
pub(crate) static BLOCK: Site = Site::new("async block");

impl<T: 'static> AsyncTask<T> {
    /// Creates a task that runs `future`.
    ///
    /// `#[asynq]` does this for a call. Use it for an async block, or for a future from elsewhere.
    #[track_caller]
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
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

    /// Runs the task to its end, as [`value`](crate::FutureBase::value) does, and returns its value
    /// or its failure.
    ///
    /// # Errors
    ///
    /// If the task panicked, was cancelled, or took part in a deadlock.
    ///
    /// ```
    /// use asynq::{AsyncTask, TaskErrorKind};
    ///
    /// let task = AsyncTask::new(async { [1, 2, 3].iter().position(|&n| n == 4).unwrap() });
    /// assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Panicked);
    /// ```
    pub fn outcome(self) -> Result<T, TaskError> {
        if !self.cell.is_computed() {
            let root = self.register();
            scheduler::with(|scheduler| scheduler.call(root))?;
        }
        self.result()
    }

    /// Ends the task without a value. The tasks that wait for it fail with
    /// [`TaskErrorKind::Cancelled`]. Does nothing to a task that has ended.
    pub fn cancel(&self) {
        if self.cell.is_computed() {
            return;
        }
        let message = format!("{} was cancelled", self.cell);
        let error = TaskError::new(TaskErrorKind::Cancelled, message, self.cell.stack());
        // A task that its own body cancels goes on to the end of this poll.
        end::resume_panic(end::cancel(self.cell.as_ref(), error));
    }

    /// Returns the task as the creator of others.
    pub(crate) fn as_creator(&self) -> Rc<Creator> {
        self.cell.as_creator()
    }

    /// Returns the id in the engine of a task that has not ended.
    pub(crate) fn register(&self) -> TaskId {
        scheduler::with(|scheduler| self.register_with(scheduler))
    }

    #[inline]
    pub(super) fn register_with(&self, scheduler: &Scheduler) -> TaskId {
        request::register(self.cell.as_ref(), || self.any(), scheduler)
    }

    /// Requests the value. Returns whether it is pending.
    #[inline]
    pub(super) fn request_value(&self, requester: &Requester<'_>) -> bool {
        request::request(self.cell.as_ref(), || self.any(), requester)
    }

    fn any(&self) -> AnyComputation {
        AnyComputation::Alone(Pin::clone(&self.cell) as Pin<Rc<Computation<dyn Body>>>)
    }

    /// Returns the value or failure of a task that has ended, for one of its handles.
    pub(super) fn result(&self) -> Result<T, TaskError> {
        if let Some(error) = self.cell.failure() {
            return Err(error);
        }
        if let (Some(clone), 2..) = (self.clone_value.get(), self.cell.handles.get())
            && let Some(value) = self.cell.shared_body().value()
        {
            return Ok(clone(value));
        }
        self.cell.as_ref().take_result()
    }
}

/// Creates another handle to the same task. It runs once, and each handle returns the value.
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
        if handles == 0 && !self.cell.is_computed() {
            let dropped = deferred_drop::discard(self.any());
            end::end(&self.cell, None);
            end::resume_panic(dropped);
        }
    }
}

impl<T: 'static> fmt::Debug for AsyncTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.cell).fmt(f)
    }
}

/// A computation, as its task is shown.
pub(super) struct Shown<'c, B: ?Sized>(pub(super) &'c Computation<B>);

impl<B: ?Sized> fmt::Debug for Shown<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0.is_computed() {
            false if self.0.id.get().is_none() => "not started",
            false => "pending",
            true if self.0.failure().is_some() => "failed",
            true => "computed",
        };
        write!(f, "AsyncTask({}, {state})", self.0)
    }
}
