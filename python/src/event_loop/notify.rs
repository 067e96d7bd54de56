//! Listeners of calls that have ended. They are called in one callback of the loop, since a callback for
//! each would cost more than the call.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::event_loop::call::{AsyncioCall, CallWait, Callback, Listener, WaitStatus};
use crate::event_loop::host::EventLoop;
use crate::ffi::gil_cell::TakeState;

/// Calls the listeners of calls that have ended. Returns whether there were any.
///
/// # Errors
///
/// A `KeyboardInterrupt` or `SystemExit` of a listener. The others are called later.
pub(crate) fn notify(event_loop: &EventLoop, py: Python<'_>) -> PyResult<bool> {
    let mut any = false;
    loop {
        let next = event_loop.listeners.borrow_mut().pop_front();
        let Some((listener, argument)) = next else { return Ok(any) };
        any = true;
        match listener {
            Listener::Callback(callback) => call(event_loop, &callback, argument.bind(py))?,
            Listener::Wait(wait) => {
                let wait = wait.bind(py);
                for callback in end_wait(wait) {
                    call(event_loop, &callback, wait.as_any())?;
                }
            }
        }
    }
}

fn end_wait(wait: &Bound<'_, CallWait>) -> Vec<Callback> {
    let mut state = wait.state();
    if state.status == WaitStatus::Waiting {
        state.status = WaitStatus::Done;
    }
    std::mem::take(&mut state.callbacks)
}

fn call(event_loop: &EventLoop, callback: &Callback, argument: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = argument.py();
    callback.context.enter(py)?;
    let called = callback.function.bind(py).call1((argument,));
    callback.context.exit(py)?;
    match called {
        Ok(_) => Ok(()),
        Err(error)
            if error.is_instance_of::<PyKeyboardInterrupt>(py)
                || error.is_instance_of::<PySystemExit>(py) =>
        {
            Err(error)
        }
        Err(error) => report(event_loop, &error, "a callback of an asynq call has failed"),
    }
}

/// Reports an error to the exception handler of the loop.
pub(crate) fn report(event_loop: &EventLoop, error: &PyErr, message: &str) -> PyResult<()> {
    Python::attach(|py| {
        let Some(event_loop) = event_loop.get(py) else { return Ok(()) };
        let context = PyDict::new(py);
        context.set_item("message", message)?;
        context.set_item("exception", error.value(py))?;
        event_loop.call_method1(intern!(py, "call_exception_handler"), (context,)).map(|_| ())
    })
}

/// Returns whether anybody listens to a call but this wait.
pub(crate) fn has_others(call: &Bound<'_, AsyncioCall>, wait: &Bound<'_, CallWait>) -> bool {
    let state = call.state();
    state.listeners.iter().any(|listener| match listener {
        Listener::Wait(other) => !other.is(wait),
        Listener::Callback(_) => true,
    })
}
