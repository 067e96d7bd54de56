//! The asyncio mode: the code of tasks that an event loop runs is in it, and code in the block of an
//! `AsyncioMode`, where `f.asynq(...)` is `f.asyncio(...)`.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::event_loop::per_loop;
use crate::scheduler::state::Scheduler;

/// Set once the mode was ever entered. Programs that never enter it only check this flag.
static EVER: AtomicBool = AtomicBool::new(false);

/// A context variable: true in the contexts (threads, asyncio tasks) that are in asyncio mode.
fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    VARIABLE
        .get_or_try_init(py, || {
            let class = py.import("contextvars")?.getattr("ContextVar")?;
            Ok(class.call1(("asynq.asyncio_mode",))?.unbind())
        })
        .map(|variable| variable.bind(py))
}

/// Sets the mode of the current context; returns a token for `leave_asyncio_mode`.
#[pyfunction]
#[pyo3(signature = (on=true))]
pub(crate) fn enter_asyncio_mode(py: Python<'_>, on: bool) -> PyResult<Bound<'_, PyAny>> {
    EVER.store(true, Ordering::Relaxed);
    variable(py)?.call_method1("set", (on,))
}

/// Undoes an `enter_asyncio_mode`. In another context it does nothing: that is where the garbage
/// collector may close a coroutine.
#[pyfunction]
pub(crate) fn leave_asyncio_mode(py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<()> {
    match variable(py)?.call_method1("reset", (token,)) {
        Err(error) if !error.is_instance_of::<PyValueError>(py) => Err(error),
        _ => Ok(()),
    }
}

/// Returns whether the code that runs is that of a task on an event loop, or in asyncio mode.
#[pyfunction]
pub(crate) fn is_asyncio_mode(py: Python<'_>) -> PyResult<bool> {
    Ok(is_entered(py)? || (per_loop::are_used() && Scheduler::current().is_in_task_of_loop()))
}

/// Returns whether the mode was ever entered in this process.
#[inline]
pub(crate) fn may_be_entered() -> bool {
    EVER.load(Ordering::Relaxed)
}

/// Returns whether the current context is in the block of a `NoAsyncioMode`, which allows synchronous calls.
pub(crate) fn allows_calls(py: Python<'_>) -> PyResult<bool> {
    if !may_be_entered() {
        return Ok(false);
    }
    Ok(!variable(py)?.call_method1("get", (true,))?.is_truthy()?)
}

/// Returns whether the current context is in the block of an `AsyncioMode`.
#[pyfunction]
#[pyo3(name = "is_in_asyncio_mode")]
pub(crate) fn is_entered(py: Python<'_>) -> PyResult<bool> {
    if !may_be_entered() {
        return Ok(false);
    }
    variable(py)?.call_method1("get", (false,))?.is_truthy()
}
