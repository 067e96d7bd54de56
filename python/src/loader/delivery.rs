//! Delivery: the values that a batch function returned reach the loads.

use pyo3::exceptions::{PyBaseException, PyException, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PySequence, PyString};

use crate::ffi::thread_exit;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::loader::load::Load;

/// Returns the outcome that a cached or returned object stands for: an exception is an error.
pub(crate) fn outcome_of(object: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    if object.is_instance_of::<PyBaseException>() {
        Outcome::from_exception(object)
    } else {
        Ok(Outcome::Value(object.clone().unbind()))
    }
}

/// Gives each of the loads what `answer` has for its key, and keeps it where it is to be kept:
/// errors only if `keeps_errors`. Returns the loads for which it has nothing.
///
/// Raises `TypeError` or `ValueError` if it is no answer to so many keys.
#[pyfunction]
pub(crate) fn deliver<'py>(
    loads: &Bound<'py, PyList>,
    answer: &Bound<'py, PyAny>,
    keeps_errors: bool,
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

/// Gives one load its value, or its error if that is an exception.
#[pyfunction]
pub(crate) fn resolve_load(
    load: &Bound<'_, Load>,
    value: &Bound<'_, PyAny>,
    keeps: bool,
) -> PyResult<()> {
    if !Load::is_pending(load) {
        return Ok(());
    }
    let outcome = outcome_of(value)?;
    let is_kept = keeps || matches!(outcome, Outcome::Value(_));
    let mut interrupt = Ok(());
    for cache in Load::take_caches(load) {
        if is_kept && let Err(error) = cache.set_item(Load::key(load), value) {
            // A cache that fails must not fail the load.
            if error.is_instance_of::<PyException>(load.py()) {
                error.write_unraisable(load.py(), Some(&cache));
            } else {
                interrupt = Err(error);
            }
        }
    }
    resolve(load.as_super().as_super(), outcome)?;
    interrupt
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
            Self::Dict(dict) => dict.get_item(Load::key(load)),
            Self::Sequence(sequence) => sequence.get_item(index).map(Some),
            Self::Mapping(mapping) => match mapping.get_item(Load::key(load)) {
                Err(error) if error.is_instance_of::<PyKeyError>(load.py()) => Ok(None),
                value => value.map(Some),
            },
        }
    }
}
