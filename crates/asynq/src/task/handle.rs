//! The handle to a task.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use asynq_engine::TaskId;
use pin_cell::PinMut;

use super::computation::{AnyComputation, BodyOf, Computation, Run};
use super::{deferred_drop, end};
use crate::call_stack::{Creator, Origin, Site};
use crate::error::{TaskError, TaskErrorKind};
use crate::scheduler::{self, Scheduler};

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
        self.cell.id.get().unwrap_or_else(|| {
            let id = scheduler.engine().add_task(self.any());
            self.cell.id.set(Some(id));
            scheduler.report_events();
            id
        })
    }

    fn any(&self) -> AnyComputation {
        Pin::clone(&self.cell) as AnyComputation
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
        let value = PinMut::as_mut(&mut self.cell.as_ref().body()).take();
        Ok(value
            .unwrap_or_else(|| panic!("{} was polled after it had returned its value", self.cell)))
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
        let state = match self.cell.is_computed() {
            false if self.cell.id.get().is_none() => "not started",
            false => "pending",
            true if self.cell.failure().is_some() => "failed",
            true => "computed",
        };
        write!(f, "AsyncTask({}, {state})", self.cell)
    }
}
