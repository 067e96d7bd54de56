//! `TaskScheduler`: the object by which Python knows the scheduler of a thread.

use pyo3::prelude::*;

/// Runs the async functions of a thread, and flushes batches when nothing else can run. Each
/// thread has its own: `get_scheduler()` returns it.
#[pyclass(subclass, module = "asynq.scheduler")]
pub(crate) struct TaskScheduler {
    pub(crate) scheduler_id: u32,
    #[pyo3(get, set)]
    pub(crate) name: Py<PyAny>,
    pub(crate) on_before_batch_flush: Option<Py<PyAny>>,
    pub(crate) on_after_batch_flush: Option<Py<PyAny>>,
    #[pyo3(get, set, name = "_last_dump_time")]
    last_dump_time: f64,
}

impl TaskScheduler {
    /// Makes a handle of the scheduler with this number, which had `earlier` handles before.
    pub(crate) fn of(py: Python<'_>, scheduler_id: u32, earlier: u32) -> PyResult<Self> {
        let thread = py.import("threading")?.getattr("current_thread")?.call0()?;
        let name = format!("{} / {earlier}", thread.getattr("name")?);
        Ok(Self {
            scheduler_id,
            name: name.into_pyobject(py)?.into_any().unbind(),
            on_before_batch_flush: None,
            on_after_batch_flush: None,
            last_dump_time: py.import("time")?.getattr("time")?.call0()?.extract()?,
        })
    }

    /// Returns the hook before a flush, if anybody has asked for it.
    pub(crate) fn before_flush(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.borrow().on_before_batch_flush.as_ref().map(|hook| hook.clone_ref(slf.py()))
    }

    /// Returns the hook after a flush, if anybody has asked for it.
    pub(crate) fn after_flush(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.borrow().on_after_batch_flush.as_ref().map(|hook| hook.clone_ref(slf.py()))
    }
}
