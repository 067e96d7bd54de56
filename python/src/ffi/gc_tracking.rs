//! Sparing the garbage collector what cannot be garbage.
//!
//! In a large fan-out the collector took 40 % of the time: again and again it walked over thousands
//! of blocked tasks, their generators and the items they wait for. All of these are held by the
//! engine until they are computed, so that no cycle through them can be garbage before. So they are
//! taken off the collector's lists when the engine gets to know them, and put back when they are
//! computed or left behind by a call.
//!
//! # Note: leaf tasks
//!
//! Many tasks can never be part of a cycle: those whose function is a global one, and whose arguments
//! and value refer to nothing (numbers, texts). A task refers to its creator weakly, and to nothing
//! else. Such a task is off the lists from the beginning. It is put back when it gets a reference to
//! anything that could lead back to it: its value or error, a subscriber, whatever is set on it.

use pyo3::ffi;
use pyo3::prelude::*;

/// Takes an object off the collector's lists. It has to be held by something that the collector does
/// not see, until [`resume`].
#[allow(unsafe_code)]
pub(crate) fn pause<T>(object: &Bound<'_, T>) {
    // SAFETY: a live object; of one without a place on the lists this is no business.
    unsafe {
        if ffi::PyObject_GC_IsTracked(object.as_ptr()) == 1 {
            ffi::PyObject_GC_UnTrack(object.as_ptr().cast());
        }
    }
}

/// Whether an object can refer to others, as far as the collector knows.
#[allow(unsafe_code)]
pub(crate) fn is_leaf(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object.
    unsafe { ffi::PyObject_IS_GC(object.as_ptr()) == 0 }
}

/// Puts an object back on the lists.
#[allow(unsafe_code)]
pub(crate) fn resume<T>(object: &Bound<'_, T>) {
    // SAFETY: a live object that can be on the lists, since `pause` has found it there, and is not.
    unsafe {
        if ffi::PyObject_GC_IsTracked(object.as_ptr()) == 0 {
            ffi::PyObject_GC_Track(object.as_ptr().cast());
        }
    }
}
