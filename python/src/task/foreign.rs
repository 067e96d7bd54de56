//! Awaitables of others: what a coroutine awaits that is no future of asynq.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::imports;
use crate::scheduler::deadlock;
use crate::task::async_task::AsyncTask;

/// Makes the running task wait for something that an event loop would resolve. Returns whether it must.
///
/// # Errors
///
/// `RuntimeError`, since no event loop drives the task.
#[cold]
pub(crate) fn wait(task: &Bound<'_, AsyncTask>, awaited: &Bound<'_, PyAny>) -> PyResult<bool> {
    let name = deadlock::name(task.as_any());
    let what = if awaited.is_none() {
        "the next turn of an event loop (such as asyncio.sleep(0))".to_owned()
    } else {
        format!("a {} of an event loop", imports::type_name(awaited))
    };
    Err(PyRuntimeError::new_err(format!(
        "{name} awaits {what}, but no event loop drives it: await {name}.asyncio(...) on an event loop, \
         or await futures of asynq only"
    )))
}
