//! `AsyncioCall` as Python sees it: a coroutine, and an asyncio future.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::event_loop::call::{AsyncioCall, CallWait, Callback, End, Listener, Wait};
use crate::event_loop::call_step::tell;
use crate::event_loop::host::no_running_loop;
use crate::event_loop::{cancel_request, foreign, start};
use crate::ffi::context_vars::Context;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::FutureBase;
use crate::imports;
use crate::scheduler::state::Scheduler;

impl AsyncioCall {
    /// Calls `listener` when the call ends, or soon if it has ended.
    pub(crate) fn listen(slf: &Bound<'_, Self>, listener: Listener) -> PyResult<()> {
        if !Self::is_done(slf) {
            slf.state().listeners.push(listener);
            return Ok(());
        }
        let scheduler_id = slf.state().scheduler_id;
        let Some(scheduler) = Scheduler::with_loop(scheduler_id) else { return Ok(()) };
        let Some(event_loop) = scheduler.event_loop() else { return Ok(()) };
        tell(event_loop, listener, slf.as_any());
        event_loop.schedule(slf.py())
    }

    /// Returns the iterator of the call as a coroutine.
    fn iterator<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(iterator) = &slf.state().iterator {
            return Ok(iterator.bind(slf.py()).clone());
        }
        let iterator = Self::wait_lending(slf)?;
        slf.state().iterator = Some(iterator.clone().unbind());
        Ok(iterator)
    }

    /// Gives up the iterator with an error, which ends the coroutine: the two refer to each other.
    fn forget_if_ended<'py>(
        slf: &Bound<'py, Self>,
        answer: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if answer.is_err() {
            let iterator = slf.state().iterator.take();
            drop(iterator);
        }
        answer
    }

    fn wait<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, CallWait>> {
        let wait = Wait { call: Some(slf.clone().unbind()), ..Wait::default() };
        Bound::new(slf.py(), CallWait(GilCell::new(wait)))
    }

    /// Returns an iterator that waits for the call. In a batch function it lends the permits of that.
    fn wait_lending<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let wait = Self::wait(slf)?;
        let function = slf.state().function.as_ref().map(|function| function.bind(py).clone());
        let (Some(function), Some(load)) = (function, Self::future(slf)) else {
            return Ok(wait.into_any());
        };
        function
            .call_method1(intern!(py, "wait_for"), (load, wait))?
            .call_method0(intern!(py, "__await__"))
    }
}

#[pymethods]
impl AsyncioCall {
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if !start::begin(slf)? {
            return Err(no_running_loop());
        }
        Self::wait_lending(slf)
    }

    /// Runs it as a coroutine.
    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !start::begin(slf)? {
            return Err(no_running_loop());
        }
        let iterator = Self::iterator(slf)?;
        let answer = match iterator.cast::<CallWait>() {
            Ok(wait) => CallWait::next(wait),
            Err(_) => iterator.call_method1(intern!(slf.py(), "send"), (value,)),
        };
        Self::forget_if_ended(slf, answer)
    }

    /// Raises an error in it, as in a coroutine.
    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        typ: &Bound<'py, PyAny>,
        val: Option<&Bound<'py, PyAny>>,
        tb: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let has_begun = slf.state().iterator.is_some();
        if !has_begun {
            return Err(CallWait::raised(typ, val, tb));
        }
        let iterator = Self::iterator(slf)?;
        let answer = match iterator.cast::<CallWait>() {
            Ok(wait) => CallWait::throw(wait, typ, val, tb),
            Err(_) => iterator.call_method1(intern!(slf.py(), "throw"), (typ,)),
        };
        Self::forget_if_ended(slf, answer)
    }

    /// Ends it as a coroutine. It goes on if somebody else waits for it.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let iterator = slf.state().iterator.take().map(|iterator| iterator.into_bound(py));
        iterator.map_or(Ok(()), |iterator| iterator.call_method0(intern!(py, "close")).map(|_| ()))
    }

    /// Not None on an event loop: `asyncio.ensure_future()` and `asyncio.gather()` take it for a future.
    #[getter(_asyncio_future_blocking)]
    fn blocking(slf: &Bound<'_, Self>) -> Option<bool> {
        let state = slf.state();
        // As a future it could not lend permits.
        (state.event_loop.is_some() && state.function.is_none()).then_some(false)
    }

    /// Returns the event loop on which it has begun.
    fn get_loop(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let event_loop = slf.state().event_loop.as_ref().map(|one| one.clone_ref(slf.py()));
        event_loop.ok_or_else(no_running_loop)
    }

    /// Calls `fn(self)` when it has ended.
    #[pyo3(signature = (r#fn, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        r#fn: Py<PyAny>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let callback = Callback::new(slf.py(), r#fn, context)?;
        Self::listen(slf, Listener::Callback(callback))
    }

    /// Removes the callbacks that are equal to `fn`. Returns their number.
    fn remove_done_callback(slf: &Bound<'_, Self>, r#fn: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = slf.py();
        let listeners = std::mem::take(&mut slf.state().listeners);
        let before = listeners.len();
        let mut kept = Vec::with_capacity(before);
        for listener in listeners {
            let is_removed = match &listener {
                Listener::Callback(callback) => callback.function.bind(py).eq(r#fn)?,
                Listener::Wait(_) => false,
            };
            if !is_removed {
                kept.push(listener);
            }
        }
        let removed = before - kept.len();
        slf.state().listeners.splice(..0, kept);
        Ok(removed)
    }

    /// Returns whether it has ended.
    fn done(slf: &Bound<'_, Self>) -> bool {
        Self::is_done(slf)
    }

    /// Returns whether it was cancelled.
    fn cancelled(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        match Self::peek(slf) {
            Some(Err(error)) => Ok(error.is_instance(py, imports::cancelled_error(py)?)),
            _ => Ok(false),
        }
    }

    /// Returns the value, or raises the error.
    ///
    /// Raises `asyncio.InvalidStateError` if it has not ended.
    fn result<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::outcome(slf).unwrap_or_else(|| Err(not_done(slf.py())))
    }

    /// Returns the error, or `None` if there is a value.
    ///
    /// Raises `asyncio.CancelledError` if it was cancelled, and `asyncio.InvalidStateError` if it has
    /// not ended.
    fn exception<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        match Self::outcome(slf) {
            None => Err(not_done(py)),
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) if error.is_instance(py, imports::cancelled_error(py)?) => Err(error),
            Some(Err(error)) => Ok(Some(error.into_value(py).into_bound(py).into_any())),
        }
    }

    /// Cancels it, and whatever it waits for and nobody else does. Returns `False` if it has ended.
    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        cancel_request::of_call(slf, msg)
    }

    /// Kept for compatibility with asyncio's tasks: nothing is logged.
    #[getter]
    fn _log_destroy_pending(_slf: &Bound<'_, Self>) -> bool {
        false
    }

    #[setter(_log_destroy_pending)]
    fn set_log_destroy_pending(_slf: &Bound<'_, Self>, _value: bool) {}

    /// Message of the cancellation. `asyncio.gather()` asks for it.
    #[getter]
    fn _cancel_message(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().cancel_message.as_ref().map(|text| text.clone_ref(slf.py()))
    }

    /// Makes the error of the cancellation. `asyncio.gather()` asks for it.
    fn _make_cancelled_error<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::cancelled_error(slf).into_value(slf.py()).into_bound(slf.py()).into_any()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let status = match slf.state().end {
            End::Pending => "pending",
            End::Resolved | End::Failed(_) => "done",
            End::Cancelled => "cancelled",
        };
        let of = match Self::future(slf) {
            Some(future) => format!(" of {}", future.repr()?),
            None => String::new(),
        };
        Ok(format!("<asyncio call{of}, {status}>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.future)?;
        if let Some((loader, key)) = &state.load {
            visit.call(loader)?;
            visit.call(key)?;
        }
        visit.call(&state.function)?;
        visit.call(&state.event_loop)?;
        for listener in &state.listeners {
            match listener {
                Listener::Wait(wait) => visit.call(wait)?,
                Listener::Callback(callback) => callback.traverse(&visit)?,
            }
        }
        visit.call(&state.iterator)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

fn not_done(py: Python<'_>) -> PyErr {
    match imports::invalid_state(py) {
        Ok(class) => PyErr::from_type(class.clone(), ("Result is not set.",)),
        Err(error) => error,
    }
}

impl Callback {
    /// Makes a callback that runs in `context`, or else in a copy of the current one.
    pub(crate) fn new(
        py: Python<'_>,
        function: Py<PyAny>,
        context: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let context = context.map_or_else(|| Context::copy_current(py), Context::of)?;
        Ok(Self { function, context })
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(self.context.object())
    }
}

/// Returns the call of a future, from asyncio. Something of asyncio is returned as it is.
///
/// # Errors
///
/// `TypeError` if it cannot be awaited.
#[pyfunction]
#[pyo3(name = "call_on_event_loop")]
pub(crate) fn asyncio_call(future: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    if let Ok(future) = future.cast::<FutureBase>() {
        let call = AsyncioCall::of_future(future)?;
        start::begin(&call)?;
        return Ok(call.into_any());
    }
    if foreign::is_awaitable(&future) {
        return Ok(future);
    }
    Err(PyTypeError::new_err(format!(
        "{} cannot be awaited: return a future, such as fn.asynq(...) or a ConstFuture",
        imports::type_name(&future)
    )))
}
