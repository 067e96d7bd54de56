//! Outcomes of the objects that a batch function returns and a cache holds.

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;

use crate::future::outcome::Outcome;
use crate::imports;

/// Returns the outcome that a returned object stands for: an exception is an error.
pub(crate) fn outcome_of(object: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    if object.is_instance_of::<PyBaseException>() {
        Outcome::from_exception(object)
    } else {
        Ok(Outcome::Value(object.clone().unbind()))
    }
}

/// Returns the outcome that a cached object stands for. An error is copied, because whoever raises it
/// changes it.
pub(crate) fn outcome_of_cached(object: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    outcome_of(&without_traceback(object)?)
}

/// Returns an object, or a copy without a traceback if it is an exception.
pub(crate) fn without_traceback<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if object.is_instance_of::<PyBaseException>() {
        imports::copy_error(object.py())?.call1((object,))
    } else {
        Ok(object.clone())
    }
}
