//! Bound methods, made without a call of their class.

use pyo3::ffi::PyObject;
use pyo3::prelude::*;

#[allow(unsafe_code)]
unsafe extern "C" {
    /// Returns a new reference, or null with an exception set. `pyo3` does not declare it.
    pub(super) fn PyMethod_New(function: *mut PyObject, object: *mut PyObject) -> *mut PyObject;
}

/// Returns `types.MethodType(function, object)`.
#[allow(unsafe_code)]
pub(super) fn bind<'py>(
    function: &Bound<'py, PyAny>,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: two live objects; the result is a new reference, or null with an exception set.
    unsafe {
        let method = PyMethod_New(function.as_ptr(), object.as_ptr());
        Bound::from_owned_ptr_or_err(function.py(), method)
    }
}
