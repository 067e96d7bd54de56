//! Computing a future: the ways in which each kind comes to its value.

use pyo3::exceptions::{PyException, PyNotImplementedError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::flush;
use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::future::base::{FutureBase, Kind};
use crate::future::lazy;
use crate::imports;
use crate::loader::load::Load;
use crate::overrides::overrides;
use crate::scheduler::drive;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Returns the value of a future, or its error; computes it if necessary.
pub(crate) fn value<'py>(future: &Bound<'py, FutureBase>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(outcome) = FutureBase::outcome(future) {
        return outcome;
    }
    compute(future)?;
    FutureBase::outcome(future).unwrap_or_else(|| Err(left_pending(future)))
}

/// Returns the error of a future, or `None` if it has a value; computes it if necessary.
pub(crate) fn error(future: &Bound<'_, FutureBase>) -> PyResult<Option<Py<PyAny>>> {
    if FutureBase::is_pending(future) {
        compute(future)?;
    }
    Ok(future.state().outcome().error().map(|error| error.clone_ref(future.py())))
}

/// Computes a future in the way of its class.
fn compute(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    thread_exit::protect();
    let name = intern!(future.py(), "_compute");
    if overrides::<FutureBase>(future.as_any(), name) {
        future.call_method0(name).map(|_| ())
    } else {
        compute_natively(future)
    }
}

/// Computes a future in the way of its kind: the `_compute()` of our classes.
pub(crate) fn compute_natively(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let kind = future.header().kind;
    match kind {
        Kind::Foreign => Err(PyRuntimeError::new_err(
            "the event loop has to run before this has a value: await it",
        )),
        Kind::Plain | Kind::Constant => Err(PyNotImplementedError::new_err(
            "this future has no value yet, and no way to compute one: set_value() was not called, \
             and its class does not override _compute()",
        )),
        Kind::Lazy => lazy::call_provider(future),
        Kind::Task => drive::run(future.cast::<AsyncTask>()?),
        Kind::Batch => flush::flush(future.cast::<BatchBase>()?),
        Kind::Item => {
            if future.is_exact_instance_of::<Load>() {
                // Its flush may end before it has a value.
                return wait_for(future);
            }
            let (batch, _) = BatchItemBase::place(future.cast::<BatchItemBase>()?)?;
            let (flushing, flushed_by) = {
                let state = batch.state();
                (state.flushing, state.flushed_by)
            };
            if flushing && flushed_by != Scheduler::id_among_greenlets() {
                // Another greenlet flushes it.
                return wait_for(future);
            }
            if !BatchBase::is_flushed(&batch) {
                batch.call_method0(intern!(py, "flush"))?;
            }
            Ok(())
        }
    }
}

/// Waits for an item in a synchronous call of its own.
fn wait_for(item: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = item.py();
    match imports::wait_for_load(py)?.call1((item,)) {
        Ok(_) => Ok(()),
        // The error is that of the item, unless the call was interrupted.
        Err(error) if !FutureBase::is_pending(item) && error.is_instance_of::<PyException>(py) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn left_pending(future: &Bound<'_, FutureBase>) -> PyErr {
    let class = imports::type_name(future.as_any());
    imports::new_error(
        imports::task_error,
        future.py(),
        format!("{class}: its _compute() set neither a value nor an error"),
    )
}
