//! Weak references, of which an object has one that all share.

#[cfg(not(Py_GIL_DISABLED))]
use std::ptr;

#[cfg(not(Py_GIL_DISABLED))]
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

/// Returns a weak reference to an object: the one that there is already, or a new one.
///
/// # Errors
///
/// `TypeError` if the class of the object allows none; `MemoryError`.
#[inline]
#[cfg_attr(not(Py_GIL_DISABLED), allow(unsafe_code))]
pub(crate) fn weak_reference<'py, T>(
    object: &Bound<'py, T>,
) -> PyResult<Bound<'py, PyWeakrefReference>> {
    // SAFETY: a live object, which has the address of its first weak reference, or null, at the offset of
    // its class. That reference is alive, since it takes itself off the list when it dies, and the one
    // that all share comes first. A reference of the exact class has the layout of `PyWeakReference`.
    #[cfg(not(Py_GIL_DISABLED))] // Another thread may be changing the list.
    unsafe {
        let offset = (*ffi::Py_TYPE(object.as_ptr())).tp_weaklistoffset;
        if offset > 0 {
            let first = *object.as_ptr().byte_offset(offset).cast::<*mut PyObject>();
            let is_shared = !first.is_null()
                && ptr::eq(ffi::Py_TYPE(first), &raw const ffi::_PyWeakref_RefType)
                && (*first.cast::<ffi::PyWeakReference>()).wr_callback.is_null();
            if is_shared {
                return Ok(Bound::from_borrowed_ptr(object.py(), first).cast_into_unchecked());
            }
        }
    }
    PyWeakrefReference::new(object.as_any())
}
