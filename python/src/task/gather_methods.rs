//! `Gather` as Python sees it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::call::args::Args;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::ffi::resume::is_coroutine;
use crate::future::awaiting;
use crate::imports;
use crate::scheduler::registry::origin;
use crate::task::async_task::AsyncTask;
use crate::task::body::Body;
use crate::task::gather::{Gather, Gathered};
use crate::task::yielded::{self, MAX_NESTING, too_nested};

#[pymethods]
impl Gather {
    #[new]
    #[pyo3(signature = (awaitables, return_exceptions=false))]
    fn new(awaitables: &Bound<'_, PyTuple>, return_exceptions: bool) -> PyResult<Self> {
        let with_tasks = tasks_for_coroutines(awaitables, 0)?;
        let awaitables = match with_tasks {
            Some(awaitables) => awaitables.cast_into()?,
            None => awaitables.clone(),
        };
        Ok(Self(GilCell::new(Gathered {
            awaitables: Some(awaitables.unbind()),
            returns_errors: return_exceptions,
        })))
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaiting::awaited(slf, values)
    }

    /// For `yield from gather(...)`, which is `yield gather(...)` with a type.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaiting::iterated(slf, values)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let awaitables: Vec<_> = Self::awaitables(slf)
            .iter()
            .map(|awaitable| awaitable.repr())
            .collect::<PyResult<_>>()?;
        let awaitables: Vec<_> = awaitables.iter().map(ToString::to_string).collect();
        Ok(format!("gather({})", awaitables.join(", ")))
    }

    /// `Class[T]` is for type checkers.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        imports::generic(cls, item)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.take_in_traverse(&visit) {
            Some(gathered) => visit.call(&gathered.awaitables),
            None => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

/// Returns the values, for somebody who goes on without sending them.
fn values<'py>(gather: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    yielded::unwrap(gather)
}

/// Returns a copy of a structure with tasks in place of its coroutines, which cannot wait together
/// otherwise; `None` if there are no coroutines.
fn tasks_for_coroutines<'py>(
    value: &Bound<'py, PyAny>,
    nesting: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    if is_coroutine(value) {
        return task_for(value).map(|task| Some(task.into_any()));
    }
    let items = if let Ok(list) = value.cast_exact::<PyList>() {
        list.to_tuple()
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple.clone()
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        dict.values().to_tuple()
    } else {
        return Ok(None);
    };
    if nesting > MAX_NESTING {
        return Err(too_nested());
    }
    let mut found = false;
    let mut replaced = Vec::with_capacity(items.len());
    for item in items.iter() {
        let task = tasks_for_coroutines(&item, nesting + 1)?;
        found |= task.is_some();
        replaced.push(task.unwrap_or(item));
    }
    if !found {
        return Ok(None);
    }
    Ok(Some(if value.is_exact_instance_of::<PyList>() {
        PyList::new(py, replaced)?.into_any()
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        let values = dict.copy()?;
        for (key, value) in dict.keys().iter().zip(replaced) {
            values.set_item(key, value)?;
        }
        values.into_any()
    } else {
        PyTuple::new(py, replaced)?.into_any()
    }))
}

/// Makes the task that runs a coroutine.
fn task_for<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Bound<'py, AsyncTask>> {
    let py = coroutine.py();
    let body = Body::of_generator(coroutine.clone());
    AsyncTask::create(py, body, coroutine.clone(), Args::None, None, origin(py)?, false)
}
