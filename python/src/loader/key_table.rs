//! Keys in our dicts.

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// Returns an object that stands for a key in a dict of ours.
///
/// Python hashes an int by its remainder modulo 2⁶¹ - 1, so that a client could send keys with one hash,
/// and make each look-up compare all of them. Text has a secret hash.
pub(crate) fn spread<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    const MODULUS: i64 = (1 << 61) - 1;
    let Ok(int) = key.cast_exact::<PyInt>() else { return Ok(key.clone()) };
    if int.extract::<i64>().is_ok_and(|int| -MODULUS < int && int < MODULUS) {
        return Ok(key.clone());
    }
    let class = key.get_type();
    // A float of the same value is another key then.
    (class, int.call_method1(intern!(key.py(), "__format__"), ("x",))?).into_bound_py_any(key.py())
}
