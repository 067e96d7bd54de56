//! Calls of batch functions on the thread of the scheduler, which waits for their permits.

use pyo3::intern;
use pyo3::prelude::*;

use crate::ffi::thread_exit;
use crate::imports;
use crate::loader::permits::Permits;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::running::{running_function, running_loop};
use crate::scheduler::state::Scheduler;

/// Returns `call()`, as the call of a `RunningFunction` on this thread, which waits until its permits
/// are acquired. They are given back at the end, whatever a signal handler raises. Returns `None`
/// without a call if it is too late after `timeout` seconds.
///
/// A function that has made the call lends its permits meanwhile. If that is one on an event loop, they
/// are shared, because the call blocks the loop.
#[pyfunction]
pub(crate) fn call_with_permits<'py>(
    function: &Bound<'py, PyAny>,
    call: &Bound<'py, PyAny>,
    timeout: Option<f64>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = function.py();
    thread_exit::protect();
    let inbox = Scheduler::current().inbox.clone();
    let caller = if running_loop(py)?.is_some() { None } else { running_function(py)? };
    let Some(caller) = caller else { return call_as(&inbox, function, call, timeout) };
    caller.call_method0(intern!(py, "lend"))?;
    let answer = call_as(&inbox, function, call, timeout);
    let taken_back = inbox.take_back(py, &caller, answer.is_ok());
    answer.and_then(|answer| taken_back.map(|()| answer))
}

/// Returns `call()` in the context of a `RunningFunction`. A signal handler that interrupts the wait for
/// its permits can take these.
fn call_as<'py>(
    inbox: &std::sync::Arc<Inbox>,
    function: &Bound<'py, PyAny>,
    call: &Bound<'py, PyAny>,
    timeout: Option<f64>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = function.py();
    let permits = function.getattr(intern!(py, "permits"))?.cast_into::<Permits>()?;
    let running = imports::running_function(py)?;
    let before = running.call_method1(intern!(py, "set"), (function,))?;
    Permits::runs_in(&permits, inbox.address());
    let answer = match inbox.acquire(&permits, timeout) {
        Ok(true) => call.call0().map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    let released = Permits::release(&permits);
    let reset = running.call_method1(intern!(py, "reset"), (before,));
    answer.and_then(|answer| released.and(reset).map(|_| answer))
}
