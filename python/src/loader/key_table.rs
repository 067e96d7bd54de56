//! Keys in our dicts.

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple, PyType};

/// Returns an object that stands for a key in a dict of ours.
///
/// Python hashes an int by its remainder modulo 2⁶¹ - 1, so that a client could send keys with one hash,
/// and make each look-up compare all of them: ints, UUIDs, which are hashed as ints, and tuples of
/// them. Text has a secret hash.
pub(crate) fn spread<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if key.is_exact_instance_of::<PyString>() {
        return Ok(key.clone());
    }
    if let Ok(int) = key.cast_exact::<PyInt>() {
        return spread_int(int);
    }
    if let Ok(tuple) = key.cast_exact::<PyTuple>() {
        return spread_tuple(tuple);
    }
    match uuid_class(key.py())? {
        Some(class) if key.get_type().is(class) => {
            (class, key.getattr(intern!(key.py(), "bytes"))?).into_bound_py_any(key.py())
        }
        _ => Ok(key.clone()),
    }
}

fn spread_int<'py>(int: &Bound<'py, PyInt>) -> PyResult<Bound<'py, PyAny>> {
    const MODULUS: i64 = (1 << 61) - 1;
    if int.extract::<i64>().is_ok_and(|int| -MODULUS < int && int < MODULUS) {
        return Ok(int.clone().into_any());
    }
    let class = int.get_type();
    // A float of the same value is another key then.
    (class, int.call_method1(intern!(int.py(), "__format__"), ("x",))?).into_bound_py_any(int.py())
}

fn spread_tuple<'py>(tuple: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    let parts = tuple.iter().map(|part| spread(&part)).collect::<PyResult<Vec<_>>>()?;
    let is_same = parts.iter().zip(tuple).all(|(part, own)| part.is(&own));
    if is_same {
        return Ok(tuple.clone().into_any());
    }
    // Another tuple might have such parts.
    (tuple.get_type(), PyTuple::new(tuple.py(), parts)?).into_bound_py_any(tuple.py())
}

/// Returns the class of UUIDs, if its module is loaded.
fn uuid_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyType>>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if CLASS.get(py).is_none() {
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let module = modules.cast_into::<PyDict>()?.get_item(intern!(py, "uuid"))?;
        let class = module.and_then(|module| module.getattr_opt(intern!(py, "UUID")).ok()?);
        if let Some(class) = class.and_then(|class| class.cast_into::<PyType>().ok()) {
            let _ = CLASS.set(py, class.unbind());
        }
    }
    Ok(CLASS.get(py).map(|class| class.bind(py)))
}
