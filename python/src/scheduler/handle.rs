//! `TaskScheduler`: the object by which Python knows the scheduler of a thread.

use pyo3::prelude::*;

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};

/// Runs the async functions of a thread, and flushes batches when nothing else can run. Each
/// thread has its own: `get_scheduler()` returns it.
#[pyclass(frozen, subclass, module = "asynq.scheduler")]
pub(crate) struct TaskScheduler(pub(crate) GilCell<Handle>);

has_state!(TaskScheduler: Handle);

/// State of a [`TaskScheduler`].
pub(crate) struct Handle {
    /// Number of the scheduler that this stands for.
    pub(crate) scheduler_id: u32,
    pub(crate) name: Option<Py<PyAny>>,
    pub(crate) before_flush: Option<Py<PyAny>>,
    pub(crate) after_flush: Option<Py<PyAny>>,
    pub(crate) last_dump_time: f64,
}

impl TaskScheduler {
    /// Makes a handle of the scheduler with this number, which had `earlier` handles before.
    pub(crate) fn of(py: Python<'_>, scheduler_id: u32, earlier: u32) -> PyResult<Self> {
        let thread = py.import("threading")?.getattr("current_thread")?.call0()?;
        let name = format!("{} / {earlier}", thread.getattr("name")?);
        Ok(Self(GilCell::new(Handle {
            scheduler_id,
            name: Some(name.into_pyobject(py)?.into_any().unbind()),
            before_flush: None,
            after_flush: None,
            last_dump_time: py.import("time")?.getattr("time")?.call0()?.extract()?,
        })))
    }

    /// Returns the hook before a flush, if anybody has asked for it.
    pub(crate) fn before_flush<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.state().before_flush.as_ref().map(|hook| hook.bind(slf.py()).clone())
    }

    /// Returns the hook after a flush, if anybody has asked for it.
    pub(crate) fn after_flush<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.state().after_flush.as_ref().map(|hook| hook.bind(slf.py()).clone())
    }
}
