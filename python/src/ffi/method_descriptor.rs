//! Objects that the interpreter calls as methods.
//!
//! For `instance.attribute(x)` it then calls the attribute of the class with `(instance, x)`, without
//! an object in between. It does so for functions of Python.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::ffi::class_flags::add_flag;

/// Has the interpreter call the objects of a class as methods. Its `__get__(instance)(x)` must mean the
/// same as its `__call__(instance, x)`. Subclasses do not inherit it.
#[pyfunction]
#[allow(unsafe_code)]
pub(crate) fn call_as_methods(class: &Bound<'_, PyType>) {
    // SAFETY: a live class of its own module, which nobody uses yet and no other thread changes. The
    // flag has no other meaning than the one above. The interpreter forgets what it knew of the class.
    unsafe {
        add_flag(class.as_type_ptr(), ffi::Py_TPFLAGS_METHOD_DESCRIPTOR);
        ffi::PyType_Modified(class.as_type_ptr());
    }
}
