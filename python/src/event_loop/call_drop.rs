//! Drop of a call, and the report of an error that nobody has retrieved.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::event_loop::call::{Call, End};
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::interpreter;
use crate::ffi::raised_error::RaisedError;
use crate::future::base::FutureBase;
use crate::imports;

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_retrieved && matches!(self.end, End::Resolved | End::Failed(_)) {
            never_retrieved(self);
        }
        defer_drop(self.future.take());
    }
}

/// Reports the error of a call as asyncio reports that of a task, if it has one.
#[cold]
fn never_retrieved(call: &Call) {
    if !interpreter::is_running() {
        return;
    }
    let _ = Python::try_attach(|py| {
        let _raised = RaisedError::set_aside(py);
        if let Err(error) = report(py, call) {
            error.write_unraisable(py, None);
        }
    });
}

fn report(py: Python<'_>, call: &Call) -> PyResult<()> {
    let future = call.future.as_ref().map(|future| future.bind(py));
    let error = match (&call.end, future.and_then(FutureBase::outcome)) {
        (End::Failed(error), _) => error.clone_ref(py),
        (End::Resolved, Some(Err(error))) => error,
        _ => return Ok(()),
    };
    let Some(event_loop) = &call.event_loop else { return Ok(()) };
    if error.is_instance(py, imports::cancelled_error(py)?) {
        return Ok(());
    }
    let context = PyDict::new(py);
    context.set_item(intern!(py, "message"), "AsyncioCall exception was never retrieved")?;
    context.set_item(intern!(py, "exception"), error.value(py))?;
    context.set_item(intern!(py, "future"), future)?;
    let report = intern!(py, "call_exception_handler");
    event_loop.bind(py).call_method1(report, (context,)).map(|_| ())
}
