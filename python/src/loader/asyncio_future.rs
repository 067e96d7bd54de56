//! Steps of coroutines that must be taken whatever a signal handler raises.
//!
//! A signal handler can raise at any line of Python. A callback of an event loop that it ends half-way
//! would leave a coroutine waiting for ever.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Sets the result of an asyncio future, unless it is done or its event loop is closed.
#[pyfunction]
#[pyo3(name = "set_asyncio_result")]
pub(crate) fn set_result(future: &Bound<'_, PyAny>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    let event_loop = future.call_method0(intern!(py, "get_loop"))?;
    if event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()? {
        return Ok(());
    }
    future.call_method1(intern!(py, "set_result"), (result,)).map(|_| ())
}

/// Calls `function(*args)`, and calls it again if it raises, since that may have been a signal handler.
/// It has to go on where the first call has ended. Raises the error of the first call.
#[pyfunction]
#[pyo3(signature = (function, *args))]
pub(crate) fn call_until_done<'py>(
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let first = function.call1(args);
    if first.is_err() {
        let _ = function.call1(args);
    }
    first
}
