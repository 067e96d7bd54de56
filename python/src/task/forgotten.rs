//! Forgotten `yield` and `await`: pending futures that are taken for their values.

use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::resume::{has_await, is_awaitable_or_collection};
use crate::future::base::FutureBase;
use crate::imports;
use crate::task::async_task::{AsyncTask, Demand};
use crate::task::body::Body;
use crate::task::gather::Gather;
use crate::task::yielded;

/// Number of members of a collection that are looked at.
const MAX_MEMBERS: usize = 8;

/// Depth of the collections that are looked into.
const MAX_NESTING: usize = 2;

/// Returns whether a value that an async function returns may be a pending future, or a list, tuple or
/// dict with one. Few others are.
#[inline]
pub(crate) fn is_suspect(value: &Bound<'_, PyAny>) -> bool {
    is_awaitable_or_collection(value) && find(value, MAX_NESTING, &has_await).is_some()
}

/// Returns the first object for which `is_wanted` returns true: a value, one of the first members of a collection, or of
/// those in it.
fn find<'py>(
    value: &Bound<'py, PyAny>,
    nesting: usize,
    is_wanted: &impl Fn(&Bound<'_, PyAny>) -> bool,
) -> Option<Bound<'py, PyAny>> {
    if !is_awaitable_or_collection(value) {
        return None;
    }
    if is_wanted(value) {
        return Some(value.clone());
    }
    let nesting = nesting.checked_sub(1)?;
    let find_in = |member: Bound<'py, PyAny>| find(&member, nesting, is_wanted);
    if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().take(MAX_MEMBERS).find_map(find_in)
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.iter().take(MAX_MEMBERS).find_map(find_in)
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        dict.iter().take(MAX_MEMBERS).find_map(|(_, member)| find_in(member))
    } else {
        None
    }
}

/// Warns of a value that is a pending task or item, or a list, tuple or dict with one.
///
/// # Errors
///
/// The warning, if the user has warnings raised.
#[cold]
pub(crate) fn check_value(function: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Some(future) = find(value, MAX_NESTING, &is_forgotten) {
        imports::warn_of_value(value.py())?.call1((function, value, future))?;
        // That is enough: they are dropped without another warning.
        count_as_asked(value)?;
    }
    Ok(())
}

/// Counts the tasks in a yielded value as asked for, before somebody awaits them.
#[pyfunction]
pub(crate) fn count_as_asked(value: &Bound<'_, PyAny>) -> PyResult<()> {
    yielded::for_each_future(value, &mut |future| {
        if let Ok(task) = future.cast::<AsyncTask>() {
            let demand = &task.header().demand;
            if demand.get() == Demand::Never {
                demand.set(Demand::Asked);
            }
        }
        Ok(())
    })
    .map(|_| ())
}

/// Returns whether an object has to be awaited for its value, and nobody has begun to.
fn is_forgotten(object: &Bound<'_, PyAny>) -> bool {
    if let Ok(task) = object.cast::<AsyncTask>() {
        return task.header().demand.get() == Demand::Never
            && matches!(task.state().body, Body::Generator(_) | Body::Call);
    }
    match object.cast::<BatchItemBase>() {
        Ok(item) => FutureBase::is_pending(item.as_super()),
        Err(_) => object.is_exact_instance_of::<Gather>(),
    }
}

/// Explains the error of `yield from [...]`, which has no room for a value; `None` for other errors.
#[cold]
pub(crate) fn explain_yield_from(error: &Bound<'_, PyBaseException>) -> Option<PyErr> {
    let explain = imports::explain_yield_from(error.py()).ok()?;
    let message = explain.call1((error,)).ok().filter(|message| !message.is_none())?;
    Some(PyTypeError::new_err(message.unbind()))
}

/// Checks a generator that is to be sent `None`, which an iterator would take without an error.
///
/// # Errors
///
/// `TypeError` if it is at `yield from [...]`.
pub(crate) fn check_yield_from(generator: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = generator.py();
    let Ok(iterator) = generator.getattr(intern!(py, "gi_yieldfrom")) else { return Ok(()) };
    if iterator.is_none() {
        return Ok(());
    }
    let Err(error) = iterator.getattr(intern!(py, "send")) else { return Ok(()) };
    explain_yield_from(error.value(py)).map_or(Ok(()), Err)
}
