//! Structures that tasks yield: futures and `None`, in nested lists, tuples and dicts.

use pyo3::exceptions::{PyRecursionError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::ffi::resume::has_await;
use crate::ffi::sequence_items;
use crate::future::base::FutureBase;
use crate::imports;
use crate::task::async_task::AsyncTask;
use crate::task::gather::Gather;

/// Depth beyond which a structure is taken for one that contains itself.
pub(crate) const MAX_NESTING: usize = 500;

/// Calls `visit` with each future in `value`, in order. Objects that cannot be awaited are passed over;
/// [`unwrap`] raises for them. Returns whether `value` itself is a future or a structure.
pub(crate) fn for_each_future<'py>(
    value: &Bound<'py, PyAny>,
    visit: &mut impl FnMut(&Bound<'py, FutureBase>) -> PyResult<()>,
) -> PyResult<bool> {
    walk(value, visit, 0)
}

fn walk<'py>(
    value: &Bound<'py, PyAny>,
    visit: &mut impl FnMut(&Bound<'py, FutureBase>) -> PyResult<()>,
    nesting: usize,
) -> PyResult<bool> {
    if let Ok(task) = value.cast_exact::<AsyncTask>() {
        // The most frequent class by far.
        visit(task.as_super())?;
    } else if let Ok(future) = value.cast::<FutureBase>() {
        visit(future)?;
    } else if value.is_none() {
        return Ok(false);
    } else if nesting > MAX_NESTING {
        return Err(too_nested());
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter().try_for_each(|item| walk(&item, visit, nesting + 1).map(|_| ()))?;
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.iter_borrowed().try_for_each(|item| walk(&item, visit, nesting + 1).map(|_| ()))?;
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        // A list of them: `visit` may run code that changes the dict.
        dict.values().iter().try_for_each(|item| walk(&item, visit, nesting + 1).map(|_| ()))?;
    } else if let Ok(gather) = value.cast_exact::<Gather>() {
        let awaitables = Gather::awaitables(gather);
        awaitables.iter().try_for_each(|item| walk(&item, visit, nesting + 1).map(|_| ()))?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Rebuilds a structure with the values in place of the futures.
///
/// # Errors
///
/// The first error among the futures, in order; `TypeError` for what cannot be awaited.
pub(crate) fn unwrap<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    rebuild(value, false, 0)
}

/// Returns the value of a future that has one.
#[inline]
fn known_value<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    match object.cast_exact::<AsyncTask>() {
        Ok(task) => FutureBase::known_value(task.as_super()),
        Err(_) => object.cast::<FutureBase>().ok().and_then(FutureBase::known_value),
    }
}

fn rebuild<'py>(
    value: &Bound<'py, PyAny>,
    returns_errors: bool,
    nesting: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(task) = value.cast_exact::<AsyncTask>()
        && let Some(value) = FutureBase::known_value(task.as_super())
    {
        return Ok(value);
    }
    if let Ok(future) = value.cast::<FutureBase>() {
        let outcome = match FutureBase::outcome(future) {
            Some(outcome) => outcome,
            // Not one that a task has waited for: it is computed in the way of its class.
            None => future.call_method0(intern!(py, "value")),
        };
        match outcome {
            Err(error) if returns_errors && !FutureBase::is_pending(future) => {
                Ok(error.into_value(py).into_bound(py).into_any())
            }
            outcome => outcome,
        }
    } else if value.is_none() {
        Ok(value.clone())
    } else if nesting > MAX_NESTING {
        Err(too_nested())
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        if let Some(values) = sequence_items::try_map(list, known_value)? {
            return Ok(values.into_any());
        }
        let mut values = Vec::with_capacity(list.len());
        for item in list.iter() {
            values.push(rebuild(&item, returns_errors, nesting + 1)?);
        }
        PyList::new(py, values).map(Bound::into_any)
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let mut values = Vec::with_capacity(tuple.len());
        for item in tuple.iter_borrowed() {
            values.push(rebuild(&item, returns_errors, nesting + 1)?);
        }
        PyTuple::new(py, values).map(Bound::into_any)
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        let values = PyDict::new(py);
        // A list of them: hashing a key may run code that changes the dict.
        for pair in dict.items().iter() {
            let pair = pair.cast::<PyTuple>()?;
            let value = rebuild(&pair.get_item(1)?, returns_errors, nesting + 1)?;
            values.set_item(pair.get_item(0)?, value)?;
        }
        Ok(values.into_any())
    } else if let Ok(gather) = value.cast_exact::<Gather>() {
        let returns_errors = Gather::returns_errors(gather);
        let awaitables = Gather::awaitables(gather);
        if let Some(values) = sequence_items::try_map(&awaitables, known_value)? {
            return Ok(values.into_any());
        }
        let mut values = Vec::with_capacity(awaitables.len());
        for item in awaitables.iter() {
            values.push(rebuild(&item, returns_errors, nesting + 1)?);
        }
        PyList::new(py, values).map(Bound::into_any)
    } else {
        Err(cannot_unwrap(value))
    }
}

#[cold]
fn cannot_unwrap(value: &Bound<'_, PyAny>) -> PyErr {
    let hint = if has_await(value) {
        "Yield fn.asynq(...) of a function with @asynq(), or asynq.gather(coroutine)"
    } else {
        "Yield fn.asynq(...), and lists, tuples and dicts of such; a plain value needs no yield"
    };
    PyTypeError::new_err(format!(
        "Cannot unwrap an object of type '{}': only futures and None are allowed. {hint}",
        imports::type_name(value)
    ))
}

pub(crate) fn too_nested() -> PyErr {
    PyRecursionError::new_err(
        "what was yielded is nested too deeply: does one of its lists or dicts contain itself?",
    )
}

/// Appends the futures in `value` to `result`, the last first, and returns it.
#[pyfunction]
pub(crate) fn extract_futures<'py>(
    value: &Bound<'py, PyAny>,
    result: Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyList>> {
    let mut futures = Vec::new();
    for_each_future(value, &mut |future| {
        futures.push(future.clone());
        Ok(())
    })?;
    futures.into_iter().rev().try_for_each(|future| result.append(future))?;
    Ok(result)
}

/// The values of the futures in `value`, in the same structure.
///
/// Raises `TypeError` for anything but futures, `None`, and lists, tuples and dicts of such.
#[pyfunction]
#[pyo3(name = "unwrap")]
pub(crate) fn py_unwrap<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    unwrap(value)
}
