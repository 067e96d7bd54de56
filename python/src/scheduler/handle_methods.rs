//! `TaskScheduler` as Python sees it.

use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use crate::future::base::FutureBase;
use crate::future::compute;
use crate::imports;
use crate::scheduler::handle::TaskScheduler;
use crate::scheduler::state::{Scheduler, active_task};
use crate::task::async_task::AsyncTask;

/// Returns whether a handle is that of this thread.
fn is_current(handle: &Bound<'_, TaskScheduler>) -> bool {
    handle.borrow().scheduler_id == Scheduler::current().id()
}

#[pymethods]
impl TaskScheduler {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let scheduler = Scheduler::current();
        Self::of(py, scheduler.id(), scheduler.count_handle())
    }

    /// The task whose code runs now, or waits for the synchronous call that runs now; `None` outside
    /// of async functions, and seen from another thread.
    #[getter]
    fn active_task<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        if is_current(slf) { active_task(slf.py()) } else { Ok(None) }
    }

    /// The event before a batch is flushed: handlers are called with the batch.
    #[getter]
    fn on_before_batch_flush<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(hook) = Self::before_flush(slf) {
            return Ok(hook.into_bound(slf.py()));
        }
        let hook = imports::event_hook(slf.py())?.call0()?;
        slf.borrow_mut().on_before_batch_flush = Some(hook.clone().unbind());
        Ok(hook)
    }

    #[setter]
    fn set_on_before_batch_flush(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        let before = slf.borrow_mut().on_before_batch_flush.replace(hook);
        drop(before);
    }

    /// The event after a batch was flushed: handlers are called with the batch.
    #[getter]
    fn on_after_batch_flush<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(hook) = Self::after_flush(slf) {
            return Ok(hook.into_bound(slf.py()));
        }
        let hook = imports::event_hook(slf.py())?.call0()?;
        slf.borrow_mut().on_after_batch_flush = Some(hook.clone().unbind());
        Ok(hook)
    }

    #[setter]
    fn set_on_after_batch_flush(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        let before = slf.borrow_mut().on_after_batch_flush.replace(hook);
        drop(before);
    }

    /// Runs a task until it has its value or error, neither of which it returns or raises.
    fn wait_for(_slf: &Bound<'_, Self>, task: &Bound<'_, FutureBase>) -> PyResult<()> {
        compute::error(task).map(|_| ())
    }

    /// Kept for compatibility: between calls, a scheduler holds nothing that could be reset.
    fn reset(_slf: &Bound<'_, Self>) {}

    /// The tasks that have begun and not ended.
    #[getter]
    fn _tasks<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let jobs = if is_current(slf) { Scheduler::current().jobs(slf.py()) } else { vec![] };
        PyList::new(slf.py(), jobs)
    }

    /// The batches of which an item is awaited.
    #[getter]
    fn _batches<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let batches = if is_current(slf) { Scheduler::current().batches(slf.py()) } else { vec![] };
        PyList::new(slf.py(), batches)
    }

    /// Writes the tasks and batches to `stdout`, `indent` levels to the right.
    #[pyo3(signature = (indent=0))]
    fn dump(slf: &Bound<'_, Self>, indent: usize) -> PyResult<()> {
        imports::describe(slf.py(), "scheduler_dump", (slf, indent)).map(|_| ())
    }

    /// Does the same if the last time was long enough ago (`SCHEDULER_STATE_DUMP_INTERVAL`).
    #[pyo3(signature = (last_task=None))]
    fn try_time_based_dump(
        slf: &Bound<'_, Self>,
        last_task: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        imports::describe(slf.py(), "scheduler_try_time_based_dump", (slf, last_task)).map(|_| ())
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "scheduler_str", (slf,))
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "scheduler_str", (slf,))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.name)?;
        visit.call(&self.on_before_batch_flush)?;
        visit.call(&self.on_after_batch_flush)
    }

    fn __clear__(&mut self) {
        self.on_before_batch_flush = None;
        self.on_after_batch_flush = None;
    }
}

/// The scheduler of this thread.
#[pyfunction]
pub(crate) fn get_scheduler(py: Python<'_>) -> PyResult<Bound<'_, TaskScheduler>> {
    Scheduler::current().handle(py)
}

/// The task whose code runs now, or `None`.
#[pyfunction]
pub(crate) fn get_active_task(py: Python<'_>) -> PyResult<Option<Bound<'_, AsyncTask>>> {
    active_task(py)
}

/// Gives this thread a new `TaskScheduler`, without handlers.
#[pyfunction]
pub(crate) fn reset_scheduler() {
    Scheduler::current().reset_handle();
}
