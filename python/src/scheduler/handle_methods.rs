//! `TaskScheduler` as Python sees it.

use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::future::compute;
use crate::imports;
use crate::scheduler::handle::TaskScheduler;
use crate::scheduler::registry::active_task;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Returns whether a handle is that of this thread.
fn is_current(handle: &Bound<'_, TaskScheduler>) -> bool {
    handle.state().scheduler_id == Scheduler::current().id()
}

#[pymethods]
impl TaskScheduler {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let scheduler = Scheduler::current();
        Self::of(py, scheduler.id(), scheduler.count_handle())
    }

    /// Name of the scheduler: that of its thread, and a number.
    #[getter]
    fn name(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().name.as_ref().map(|name| name.clone_ref(slf.py()))
    }

    #[setter]
    fn set_name(slf: &Bound<'_, Self>, name: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.state().name, name);
        defer_drop(before);
    }

    #[getter]
    fn _last_dump_time(slf: &Bound<'_, Self>) -> f64 {
        slf.state().last_dump_time
    }

    #[setter(_last_dump_time)]
    fn set_last_dump_time(slf: &Bound<'_, Self>, time: f64) {
        slf.state().last_dump_time = time;
    }

    /// Task whose code runs now, or waits for the synchronous call that runs now; `None` outside
    /// of async functions, and seen from another thread.
    #[getter]
    fn active_task<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, AsyncTask>>> {
        if is_current(slf) { active_task(slf.py()) } else { Ok(None) }
    }

    /// The event before a batch is flushed: handlers are called with the batch.
    #[getter]
    fn on_before_batch_flush<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(hook) = Self::before_flush(slf) {
            return Ok(hook);
        }
        let hook = imports::event_hook(slf.py())?.call0()?;
        Self::set_on_before_batch_flush(slf, hook.clone().unbind());
        Ok(hook)
    }

    #[setter]
    fn set_on_before_batch_flush(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        let before = slf.state().before_flush.replace(hook);
        defer_drop(before);
    }

    /// The event after a batch was flushed: handlers are called with the batch.
    #[getter]
    fn on_after_batch_flush<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(hook) = Self::after_flush(slf) {
            return Ok(hook);
        }
        let hook = imports::event_hook(slf.py())?.call0()?;
        Self::set_on_after_batch_flush(slf, hook.clone().unbind());
        Ok(hook)
    }

    #[setter]
    fn set_on_after_batch_flush(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        let before = slf.state().after_flush.replace(hook);
        defer_drop(before);
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
        let Some(handle) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&handle.name)?;
        visit.call(&handle.before_flush)?;
        visit.call(&handle.after_flush)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut handle = slf.state();
            (handle.name.take(), handle.before_flush.take(), handle.after_flush.take())
        };
        drop(before);
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
