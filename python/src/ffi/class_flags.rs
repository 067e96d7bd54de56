//! Flags of classes, which a free-threaded interpreter keeps in an atomic.

use std::ffi::c_ulong;

use pyo3::ffi::PyTypeObject;

/// Returns the flags of a class.
///
/// # Safety
///
/// `class` is a live class.
#[inline]
#[allow(unsafe_code)]
pub(crate) unsafe fn flags(class: *mut PyTypeObject) -> c_ulong {
    // SAFETY: the caller passes a live class.
    #[cfg(not(Py_GIL_DISABLED))]
    unsafe {
        (*class).tp_flags
    }
    // SAFETY: the caller passes a live class.
    #[cfg(Py_GIL_DISABLED)]
    unsafe {
        (*class).tp_flags.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Adds a flag to a class.
///
/// # Safety
///
/// `class` is a live class, which nobody uses yet.
#[allow(unsafe_code)]
pub(crate) unsafe fn add_flag(class: *mut PyTypeObject, flag: c_ulong) {
    // SAFETY: the caller passes a live class, which nobody else uses.
    #[cfg(not(Py_GIL_DISABLED))]
    unsafe {
        (*class).tp_flags |= flag;
    }
    // SAFETY: the caller passes a live class, which nobody else uses.
    #[cfg(Py_GIL_DISABLED)]
    unsafe {
        (*class).tp_flags.fetch_or(flag, std::sync::atomic::Ordering::Relaxed);
    }
}
