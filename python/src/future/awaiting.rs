//! `await future` and `yield from future`.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;

use crate::ffi::await_iterator::{self, Finish};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::imports;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Demand};

/// Returns the iterator of `await object`: the step of a task gets the object itself. `finish` returns the
/// value for somebody who goes on without sending it.
///
/// # Errors
///
/// `RuntimeError` if no task runs, so that nobody would resolve the object.
pub(crate) fn awaited<'py, T>(
    object: &Bound<'py, T>,
    finish: Finish,
) -> PyResult<Bound<'py, PyAny>> {
    if Scheduler::runs_a_task() {
        await_iterator::new(object.as_any(), finish)
    } else {
        Err(not_driven(object.as_any()))
    }
}

/// Returns the iterator of `yield from object`.
///
/// # Errors
///
/// `TypeError` if no task runs, because then it is something else that wants to iterate.
pub(crate) fn iterated<'py, T>(
    object: &Bound<'py, T>,
    finish: Finish,
) -> PyResult<Bound<'py, PyAny>> {
    if Scheduler::runs_a_task() {
        await_iterator::new(object.as_any(), finish)
    } else {
        Err(PyTypeError::new_err(format!(
            "{} object is not iterable outside of async functions",
            imports::type_name(object.as_any())
        )))
    }
}

/// Returns the value of a future for a task that goes on with `None`, or for a loop over the future.
pub(crate) fn value<'py>(future: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let resolved = future.cast::<FutureBase>().ok().and_then(FutureBase::outcome);
    resolved.unwrap_or_else(|| {
        Err(PyTypeError::new_err(format!(
            "{} object cannot be iterated or unpacked: did you forget to yield or await it?",
            imports::type_name(future)
        )))
    })
}

/// Warns of the text of a pending future in an async function: it was taken for its value.
///
/// # Errors
///
/// The warning, if the user has warnings raised.
pub(crate) fn check_text(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    if FutureBase::is_pending(future) && Scheduler::runs_a_task() {
        imports::warn_of_str(future.py())?.call1((future,))?;
    }
    Ok(())
}

#[cold]
fn not_driven(object: &Bound<'_, PyAny>) -> PyErr {
    if let Ok(task) = object.cast::<AsyncTask>() {
        // This error is enough.
        task.header().demand.set(Demand::Asked);
    }
    match imports::not_driven(object.py()).and_then(|describe| describe.call1((object,))) {
        Ok(message) => PyRuntimeError::new_err(message.unbind()),
        Err(error) => error,
    }
}
