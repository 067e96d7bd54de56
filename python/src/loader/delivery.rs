//! Delivery: the values that a batch function returned reach the loads.

use pyo3::exceptions::{PyBaseException, PyException, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PySequence, PyString};

use crate::ffi::thread_exit;
use crate::future::resolve::resolve;
use crate::imports;
use crate::loader::load::Load;
use crate::loader::outcomes::{outcome_of, without_traceback};

/// Gives each of the loads what `answer` has for its key, and keeps it where it is to be kept; see
/// [`resolve_load`]. Returns the loads for which it has nothing.
///
/// Raises `TypeError` or `ValueError` if it is no answer to so many keys.
#[pyfunction]
pub(crate) fn deliver<'py>(
    loads: &Bound<'py, PyList>,
    answer: &Bound<'py, PyAny>,
    keeps_errors: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    thread_exit::protect();
    let missing = PyList::empty(loads.py());
    let answer = Answer::read(answer, loads.len())?;
    for (index, load) in loads.iter().enumerate() {
        let load = load.cast_into::<Load>()?;
        match answer.get(index, &load)? {
            Some(value) => resolve_load(&load, &value, keeps_errors)?,
            None => missing.append(load)?,
        }
    }
    Ok(missing)
}

/// Gives one load its value, or its error if that is an exception. The caches of the load keep a
/// value; they keep a copy of an error if `keeps_errors` is `True`, or a function that returns so.
#[pyfunction]
pub(crate) fn resolve_load(
    load: &Bound<'_, Load>,
    value: &Bound<'_, PyAny>,
    keeps_errors: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if !Load::is_pending(load) {
        return Ok(());
    }
    let outcome = outcome_of(value)?;
    let caches = Load::take_caches(load);
    let mut kept = Ok(());
    if !caches.is_empty() {
        kept = keep(load, value, keeps_errors, &caches);
    }
    resolve(load.as_super().as_super(), outcome)?;
    kept
}

/// Stores a value or error in caches. A cache that fails must not fail the load.
fn keep(
    load: &Bound<'_, Load>,
    value: &Bound<'_, PyAny>,
    keeps_errors: &Bound<'_, PyAny>,
    caches: &[Bound<'_, PyAny>],
) -> PyResult<()> {
    let kept = if value.is_instance_of::<PyBaseException>() {
        let is_kept = if keeps_errors.is_callable() {
            keeps_errors.call1((value,)).and_then(|answer| answer.is_truthy())
        } else {
            keeps_errors.is_truthy()
        };
        match is_kept {
            Ok(true) => without_traceback(value)?,
            Ok(false) => return Ok(()),
            Err(error) => return report(error, keeps_errors),
        }
    } else {
        value.clone()
    };
    caches.iter().try_for_each(|cache| match cache.set_item(Load::cache_key(load), &kept) {
        Err(error) => report(error, cache),
        Ok(()) => Ok(()),
    })
}

/// Reports the error of an object of the user, unless it is an interrupt, which is returned.
fn report(error: PyErr, object: &Bound<'_, PyAny>) -> PyResult<()> {
    if !error.is_instance_of::<PyException>(object.py()) {
        return Err(error);
    }
    error.write_unraisable(object.py(), Some(object));
    Ok(())
}

/// Object that a batch function has returned.
enum Answer<'py> {
    Dict(Bound<'py, PyDict>),
    Mapping(Bound<'py, PyMapping>),
    Sequence(Bound<'py, PySequence>),
}

impl<'py> Answer<'py> {
    fn read(answer: &Bound<'py, PyAny>, count: usize) -> PyResult<Self> {
        if let Ok(dict) = answer.cast_exact::<PyDict>() {
            return Ok(Self::Dict(dict.clone()));
        }
        let is_text = answer.is_instance_of::<PyString>() || answer.is_instance_of::<PyBytes>();
        if let Ok(sequence) = answer.cast::<PySequence>()
            && !is_text
        {
            let length = sequence.len()?;
            if length != count {
                return Err(PyValueError::new_err(format!(
                    "the batch function has returned {length} values for {count} keys: return one \
                     for each key, in the order of the keys, or a mapping from keys to values"
                )));
            }
            return Ok(Self::Sequence(sequence.clone()));
        }
        if let Ok(mapping) = answer.cast::<PyMapping>() {
            return Ok(Self::Mapping(mapping.clone()));
        }
        Err(PyTypeError::new_err(format!(
            "the batch function has returned {}: it has to return a mapping from keys to values, or \
             a sequence with one value for each key",
            imports::type_name(answer)
        )))
    }

    fn get(&self, index: usize, load: &Bound<'py, Load>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self {
            Self::Dict(dict) => dict.get_item(Load::cache_key(load)),
            Self::Sequence(sequence) => sequence.get_item(index).map(Some),
            Self::Mapping(mapping) => match mapping.get_item(Load::cache_key(load)) {
                Err(error) if error.is_instance_of::<PyKeyError>(load.py()) => Ok(None),
                value => value.map(Some),
            },
        }
    }
}
