//! `Foreign`: an awaitable of asyncio, as a future that our tasks can wait for.

use pyo3::exceptions::PyRecursionError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::event_loop::call::{AsyncioCall, cancelled_error};
use crate::event_loop::host::no_running_loop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::scheduler::running::running_loop;
use crate::task::gather::Gather;

/// Depth beyond which a structure is taken for one that contains itself.
const MAX_NESTING: usize = 500;

/// An awaitable of asyncio that a task on an event loop waits for.
#[pyclass(frozen, extends = FutureBase, module = "asynq.aio")]
pub(crate) struct Foreign(GilCell<Option<Py<PyAny>>>);

// Its state is the asyncio future or task, until that has ended.
has_state!(Foreign: Option<Py<PyAny>>);

#[pymethods]
impl Foreign {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.take_in_traverse(&visit).map_or(Ok(()), |awaited| visit.call(&*awaited))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().take();
        drop(before);
    }
}

impl Foreign {
    /// Starts an awaitable on the loop that runs.
    pub(crate) fn start<'py>(awaitable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, FutureBase>> {
        Self::of_future(&imports::ensure_future(awaitable.py())?.call1((awaitable,))?)
    }

    /// Waits for an asyncio future or task.
    fn of_future<'py>(awaited: &Bound<'py, PyAny>) -> PyResult<Bound<'py, FutureBase>> {
        let py = awaited.py();
        let foreign = Self::new(py, Some(awaited))?;
        let ended = Bound::new(py, Ended(foreign.clone().unbind()))?;
        awaited.call_method1(intern!(py, "add_done_callback"), (ended,))?;
        Ok(foreign.as_super().clone())
    }

    /// Waits for the next turn of the loop that runs.
    fn next_turn(py: Python<'_>) -> PyResult<Bound<'_, FutureBase>> {
        let event_loop = running_loop(py)?.ok_or_else(no_running_loop)?;
        let foreign = Self::new(py, None)?;
        let ended = Bound::new(py, Ended(foreign.clone().unbind()))?;
        event_loop.call_method1(intern!(py, "call_soon"), (ended, py.None()))?;
        Ok(foreign.as_super().clone())
    }

    fn new<'py>(
        py: Python<'py>,
        awaited: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let base = PyClassInitializer::from(FutureBase::new(Kind::Foreign));
        let state = GilCell::new(awaited.map(|awaited| awaited.clone().unbind()));
        Bound::new(py, base.add_subclass(Self(state)))
    }

    /// Cancels what it waits for, which ends soon.
    pub(crate) fn cancel(slf: &Bound<'_, Self>, message: Option<&Py<PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let awaited = slf.state().as_ref().map(|awaited| awaited.bind(py).clone());
        let Some(awaited) = awaited else {
            let error = cancelled_error(py, message.map(|message| message.clone_ref(py)));
            return resolve(slf.as_super(), Outcome::from_err(py, &error));
        };
        match message {
            Some(message) => awaited.call_method1(intern!(py, "cancel"), (message,)).map(|_| ()),
            None => awaited.call_method0(intern!(py, "cancel")).map(|_| ()),
        }
    }
}

/// The callback of an asyncio future that has ended.
#[pyclass(frozen, module = "asynq.aio")]
struct Ended(Py<Foreign>);

#[pymethods]
impl Ended {
    fn __call__(&self, py: Python<'_>, awaited: &Bound<'_, PyAny>) -> PyResult<()> {
        let foreign = self.0.bind(py);
        let before = foreign.state().take();
        drop(before);
        let result = if awaited.is_none() {
            Ok(awaited.clone())
        } else {
            awaited.call_method0(intern!(py, "result"))
        };
        let outcome = match result {
            Ok(value) => Outcome::Value(value.unbind()),
            Err(error) => Outcome::from_err(py, &error),
        };
        if FutureBase::is_pending(foreign.as_super()) {
            resolve(foreign.as_super(), outcome)
        } else {
            Ok(())
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}

/// Returns what a coroutine awaits, with our future in place of what asyncio resolves.
///
/// # Errors
///
/// `RuntimeError` if it is no future of asyncio.
pub(crate) fn adopt_awaited(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let py = value.py();
    if value.is_none() {
        return Foreign::next_turn(py).map(Bound::into_any);
    }
    let blocking = intern!(py, "_asyncio_future_blocking");
    if value.is_instance_of::<FutureBase>() || value.is_exact_instance_of::<Gather>() {
        return adopt(value);
    }
    match value.getattr_opt(blocking)? {
        Some(is_blocking) if !is_blocking.is_none() => {
            value.setattr(blocking, false)?;
            Foreign::of_future(&value).map(Bound::into_any)
        }
        _ => adopt(value),
    }
}

/// Returns what a task has yielded, with our futures in place of the awaitables of asyncio in it.
///
/// # Errors
///
/// `RecursionError` for a structure that contains itself.
pub(crate) fn adopt(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    if has_foreign(&value, 0) { replace(&value, 0) } else { Ok(value) }
}

fn has_foreign(value: &Bound<'_, PyAny>, nesting: usize) -> bool {
    if value.is_instance_of::<FutureBase>() || value.is_none() {
        false
    } else if nesting > MAX_NESTING {
        true
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().any(|item| has_foreign(&item, nesting + 1))
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.iter_borrowed().any(|item| has_foreign(&item, nesting + 1))
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        dict.values().iter().any(|item| has_foreign(&item, nesting + 1))
    } else if let Ok(gather) = value.cast_exact::<Gather>() {
        Gather::awaitables(gather).iter().any(|item| has_foreign(&item, nesting + 1))
    } else {
        is_awaitable(value)
    }
}

/// Returns whether an object that is not one of our futures can be awaited.
pub(crate) fn is_awaitable(value: &Bound<'_, PyAny>) -> bool {
    value.get_type().hasattr(intern!(value.py(), "__await__")).unwrap_or(false)
}

fn replace<'py>(value: &Bound<'py, PyAny>, nesting: usize) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if value.is_instance_of::<FutureBase>() || value.is_none() {
        return Ok(value.clone());
    }
    if nesting > MAX_NESTING {
        return Err(PyRecursionError::new_err(
            "what was yielded is nested too deeply: does one of its lists or dicts contain itself?",
        ));
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        let items = list.iter().map(|item| replace(&item, nesting + 1));
        return PyList::new(py, items.collect::<PyResult<Vec<_>>>()?).map(Bound::into_any);
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let items = tuple.iter().map(|item| replace(&item, nesting + 1));
        return PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?).map(Bound::into_any);
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let replaced = PyDict::new(py);
        for (key, item) in dict.copy()? {
            replaced.set_item(key, replace(&item, nesting + 1)?)?;
        }
        return Ok(replaced.into_any());
    }
    if let Ok(gather) = value.cast_exact::<Gather>() {
        let items = Gather::awaitables(gather);
        let items = items.iter().map(|item| replace(&item, nesting + 1));
        let items = PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?;
        return Gather::of(items, Gather::returns_errors(gather)).map(Bound::into_any);
    }
    if let Ok(call) = value.cast::<AsyncioCall>()
        && let Some(future) = AsyncioCall::future(call)
    {
        AsyncioCall::set_retrieved(call);
        return Ok(future.into_any());
    }
    if is_awaitable(value) {
        return Foreign::start(value).map(Bound::into_any);
    }
    Ok(value.clone())
}
