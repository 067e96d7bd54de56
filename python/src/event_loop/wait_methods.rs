//! `CallWait` as Python sees it: an iterator, and the future that an asyncio task waits for.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::event_loop::call::{
    AsyncioCall, CallWait, Callback, Listener, WaitStatus, cancelled_error,
};
use crate::event_loop::cancel_request;
use crate::event_loop::host::no_running_loop;
use crate::ffi::gil_cell::TakeState;

impl CallWait {
    /// Returns the call that it waits for.
    pub(crate) fn call<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, AsyncioCall>> {
        slf.state().call.as_ref().map(|call| call.bind(slf.py()).clone())
    }

    /// Makes the error that `throw(typ, val, tb)` raises.
    pub(crate) fn raised(
        typ: &Bound<'_, PyAny>,
        val: Option<&Bound<'_, PyAny>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> PyErr {
        let error = match val {
            Some(val) if val.is_instance_of::<pyo3::exceptions::PyBaseException>() => {
                PyErr::from_value(val.clone())
            }
            _ => PyErr::from_value(typ.clone()),
        };
        if let Some(tb) = tb.and_then(|tb| tb.cast::<pyo3::types::PyTraceback>().ok()) {
            error.set_traceback(typ.py(), Some(tb.clone()));
        }
        error
    }

    /// Waits, or returns the value by a `StopIteration`.
    pub(crate) fn next<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Some(call) = Self::call(slf) else { return Err(no_running_loop()) };
        let status = slf.state().status;
        if status == WaitStatus::Cancelled {
            return Err(Self::cancelled_error(slf));
        }
        if let Some(outcome) = AsyncioCall::outcome(&call) {
            slf.state().status = WaitStatus::Done;
            return Err(PyStopIteration::new_err((outcome?.unbind(),)));
        }
        if status != WaitStatus::New {
            return Err(PyRuntimeError::new_err("await wasn't used with future"));
        }
        {
            let mut state = slf.state();
            state.status = WaitStatus::Waiting;
            state.blocking = true;
        }
        call.state().listeners.push(Listener::Wait(slf.clone().unbind()));
        let _ = py;
        Ok(slf.clone().into_any())
    }

    fn cancelled_error(slf: &Bound<'_, Self>) -> PyErr {
        let message = slf.state().cancel_message.as_ref().map(|text| text.clone_ref(slf.py()));
        cancelled_error(slf.py(), message)
    }
}

#[pymethods]
impl CallWait {
    fn __await__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::next(slf)
    }

    /// Runs it as an iterator of a coroutine.
    fn send<'py>(
        slf: &Bound<'py, Self>,
        _value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::next(slf)
    }

    /// Ends the wait with an error.
    #[pyo3(signature = (typ, val=None, tb=None))]
    pub(crate) fn throw<'py>(
        slf: &Bound<'py, Self>,
        typ: &Bound<'py, PyAny>,
        val: Option<&Bound<'py, PyAny>>,
        tb: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cancel_request::leave(slf)?;
        Err(Self::raised(typ, val, tb))
    }

    /// Ends the wait.
    pub(crate) fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        cancel_request::leave(slf)
    }

    #[getter(_asyncio_future_blocking)]
    fn blocking(slf: &Bound<'_, Self>) -> bool {
        slf.state().blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(slf: &Bound<'_, Self>, value: bool) {
        slf.state().blocking = value;
    }

    /// Returns the event loop of the call.
    fn get_loop(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let call = Self::call(slf);
        let event_loop = call.and_then(|call| {
            call.state().event_loop.as_ref().map(|event_loop| event_loop.clone_ref(slf.py()))
        });
        event_loop.ok_or_else(no_running_loop)
    }

    /// Calls `fn(self)` when the wait has ended.
    #[pyo3(signature = (r#fn, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        r#fn: Py<PyAny>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let callback = Callback::new(slf.py(), r#fn, context)?;
        let is_waiting = {
            let mut state = slf.state();
            state.callbacks.push(callback);
            state.status == WaitStatus::Waiting
        };
        match Self::call(slf) {
            Some(call) if !is_waiting || AsyncioCall::is_done(&call) => {
                AsyncioCall::listen(&call, Listener::Wait(slf.clone().unbind()))
            }
            _ => Ok(()),
        }
    }

    /// Removes the callbacks that are equal to `fn`. Returns their number.
    fn remove_done_callback(slf: &Bound<'_, Self>, r#fn: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = slf.py();
        let callbacks = std::mem::take(&mut slf.state().callbacks);
        let before = callbacks.len();
        let mut kept = Vec::with_capacity(before);
        for callback in callbacks {
            if !callback.function.bind(py).eq(r#fn)? {
                kept.push(callback);
            }
        }
        let removed = before - kept.len();
        slf.state().callbacks.splice(..0, kept);
        Ok(removed)
    }

    /// Returns whether the wait has ended.
    fn done(slf: &Bound<'_, Self>) -> bool {
        let status = slf.state().status;
        match status {
            WaitStatus::Done | WaitStatus::Cancelled => true,
            WaitStatus::New | WaitStatus::Waiting => {
                Self::call(slf).is_some_and(|call| AsyncioCall::is_done(&call))
            }
        }
    }

    /// Returns whether the wait was cancelled, and not the call.
    fn cancelled(slf: &Bound<'_, Self>) -> bool {
        slf.state().status == WaitStatus::Cancelled
    }

    /// Returns None: the iterator returns the value. Raises `asyncio.CancelledError` if the wait was
    /// cancelled.
    fn result(slf: &Bound<'_, Self>) -> PyResult<()> {
        if Self::cancelled(slf) { Err(Self::cancelled_error(slf)) } else { Ok(()) }
    }

    /// Does the same as `result`.
    fn exception(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::result(slf)
    }

    /// Cancels the wait, and the call if nobody else waits for it. Returns `False` if it has ended.
    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        cancel_request::of_wait(slf, msg)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.call)?;
        state.callbacks.iter().try_for_each(|callback| callback.traverse(&visit))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
