//! Cache keys: the hashable values that stand for keys in caches, answers and rounds.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::ffi::gil_cell::TakeState;
use crate::loader::base::LoaderBase;

/// Returns the cache key of a key: the key itself, or what the key function of the loader returns.
///
/// # Errors
///
/// The error of the key function, or of hashing the key; `TypeError` if it cannot be hashed.
pub(crate) fn cache_key<'py>(
    loader: &Bound<'py, LoaderBase>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = loader.py();
    let core = LoaderBase::core(loader);
    let function = core.state().key_function.as_ref().map(|function| function.bind(py).clone());
    let cache_key = match &function {
        Some(function) => function.call1((key,))?,
        None => key.clone(),
    };
    match cache_key.hash() {
        Ok(_) => Ok(cache_key),
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            Err(explain(loader, error, function.is_some()))
        }
        Err(error) => Err(error),
    }
}

/// Returns the error for a key that cannot be hashed.
fn explain(loader: &Bound<'_, LoaderBase>, error: PyErr, has_function: bool) -> PyErr {
    let py = loader.py();
    let name = loader.getattr(intern!(py, "name"));
    let name = name.map_or_else(|_| "without a name".to_owned(), |name| name.to_string());
    let text = error.value(py).to_string();
    let explained = PyTypeError::new_err(if has_function {
        format!("the key function of the loader {name} must return hashable values: {text}")
    } else {
        format!(
            "the loader {name} needs hashable keys: {text}. Give it key=, a function that returns a \
             hashable value for each key"
        )
    });
    explained.set_cause(py, Some(error));
    explained
}
