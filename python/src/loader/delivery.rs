//! Delivery: the values that a batch function returned reach the loads.

use asynq_loader::PartId;
use pyo3::exceptions::{PyBaseException, PyException, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PySequence, PyString};

use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::future::resolve::resolve;
use crate::imports;
use crate::loader::load::Load;
use crate::loader::nodes::LoaderHost;
use crate::loader::outcomes::{outcome_of, without_traceback};

/// Gives each of the loads of a part what `answer` has for its key; see [`answer_load`]. Returns the
/// indices of the loads for which it has nothing.
///
/// Raises `TypeError` or `ValueError` if it is no answer to so many keys.
pub(crate) fn deliver(
    host: &Bound<'_, LoaderHost>,
    part: PartId,
    loads: &Bound<'_, PyList>,
    answer: &Bound<'_, PyAny>,
    keeps_errors: &Bound<'_, PyAny>,
) -> PyResult<Vec<usize>> {
    thread_exit::protect();
    let mut missing = Vec::new();
    let answer = Answer::read(answer, loads.len())?;
    for (index, load) in loads.iter().enumerate() {
        let load = load.cast_into::<Load>()?;
        match answer.get(index, &load)? {
            Some(value) => answer_load(host, part, index, &load, &value, keeps_errors)?,
            None => missing.push(index),
        }
    }
    Ok(missing)
}

/// Gives the load at an index of a part its value, or its error if that is an exception. The caches of
/// the load keep a value; they keep a copy of an error if `keeps_errors` is `True`, or a function that
/// returns so. Does nothing if the load has its answer.
pub(crate) fn answer_load(
    host: &Bound<'_, LoaderHost>,
    part: PartId,
    index: usize,
    load: &Bound<'_, Load>,
    value: &Bound<'_, PyAny>,
    keeps_errors: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let outcome = outcome_of(value)?;
    let answered = host.state().machine.answered(part, index);
    let Some(answered) = answered.filter(|_| Load::is_pending(load)) else { return Ok(()) };
    let caches = Load::take_caches(load);
    let mut kept = Ok(());
    if answered.is_fresh && !caches.is_empty() {
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
