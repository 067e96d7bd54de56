//! Surroundings of a call: the event loop of its thread, and the batch function of its context.

use pyo3::prelude::*;

use crate::ffi::context_vars::variable_value;
use crate::imports;

/// Returns the `RunningFunction` of this context: the call of a batch function that runs in it.
pub(crate) fn running_function(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let function = variable_value(imports::running_function(py)?);
    Ok(function.filter(|function| !function.is_none()))
}

/// Returns the asyncio event loop that runs in this thread.
pub(crate) fn running_loop(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let event_loop = imports::running_event_loop(py)?.call0()?;
    Ok((!event_loop.is_none()).then_some(event_loop))
}
