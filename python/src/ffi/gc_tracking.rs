//! Sparing the garbage collector objects that cannot be garbage.
//!
//! In a large fan-out the collector took 40 % of the time: again and again it walked over thousands
//! of blocked tasks, their generators and the items they wait for. The engine holds all of these until
//! they are computed, so no cycle through them can be garbage before. They are taken off the
//! collector's lists when the engine gets to know them, and put back when they are computed or left
//! behind by a call.
//!
//! # Note: leaf tasks
//!
//! Many tasks can never be part of a cycle: their function is a global one, and their arguments and
//! value refer to nothing (numbers, texts). A task refers to its creator weakly, and to nothing else.
//! Such a task is off the lists from the beginning. It is put back when it gets a reference to
//! anything that could lead back to it: its value or error, a subscriber, whatever is set on it.
//!
//! The function leads to its module, which may keep the task in a global. So a task that is made outside
//! of any call is no leaf, and a leaf that has ended holds its function weakly.
//!
//! # Note: free-threaded interpreters
//!
//! They track every object. From 3.14 on, the frame of a generator does not count its references to functions
//! and modules: the collector finds those by visiting the generator, so it must be on the lists.

use std::mem::ManuallyDrop;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::ffi::deferred_drop::{defer_drop, release};

/// Takes an object off the collector's lists, until [`resume`]. Something that the collector does not
/// see has to hold it meanwhile. Returns whether it was on the lists.
///
/// Only for objects of our classes, which may die while they are off the lists (their `tp_dealloc`
/// asks); others are held by a [`GcRef`].
#[allow(unsafe_code)]
pub(crate) fn pause<T>(object: &Bound<'_, T>) -> bool {
    if cfg!(Py_GIL_DISABLED) {
        return false;
    }
    // SAFETY: a live object. One without a collector's header is not tracked.
    unsafe {
        let is_tracked = ffi::PyObject_GC_IsTracked(object.as_ptr()) == 1;
        if is_tracked {
            ffi::PyObject_GC_UnTrack(object.as_ptr().cast());
        }
        is_tracked
    }
}

/// Puts an object back on the lists, unless it is there already or has no place on them.
#[allow(unsafe_code)]
pub(crate) fn resume<T>(object: &Bound<'_, T>) {
    // SAFETY: a live object with a collector's header, which is not on the lists.
    unsafe {
        if ffi::PyObject_IS_GC(object.as_ptr()) == 1
            && ffi::PyObject_GC_IsTracked(object.as_ptr()) == 0
        {
            ffi::PyObject_GC_Track(object.as_ptr().cast());
        }
    }
}

/// Returns whether the collector takes an object for one that refers to no other.
#[allow(unsafe_code)]
pub(crate) fn is_leaf(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object. The only classes whose objects differ in this are `type` and those of a
    // C extension, which are no leaves then.
    unsafe { ffi::PyType_IS_GC(ffi::Py_TYPE(object.as_ptr())) == 0 }
}

/// Owned reference to an object that is taken off the collector's lists for a while.
///
/// An object of a foreign class (a generator) must not die while it is off the lists: its `tp_dealloc`
/// unlinks it without asking. This puts it back before it gives up the reference.
pub(crate) struct GcRef {
    object: ManuallyDrop<Py<PyAny>>,
    is_paused: bool,
}

impl GcRef {
    pub(crate) fn new(object: Bound<'_, PyAny>) -> Self {
        Self { object: ManuallyDrop::new(object.unbind()), is_paused: false }
    }

    pub(crate) fn get(&self) -> &Py<PyAny> {
        &self.object
    }

    /// Takes the object off the lists.
    pub(crate) fn pause(&mut self, py: Python<'_>) {
        self.is_paused |= pause(self.object.bind(py));
    }

    /// Puts the object back, if this has taken it off.
    pub(crate) fn resume(&mut self, py: Python<'_>) {
        if std::mem::take(&mut self.is_paused) {
            resume(self.object.bind(py));
        }
    }
}

impl GcRef {
    /// Gives up the reference.
    #[inline]
    pub(crate) fn release(mut self, py: Python<'_>) {
        self.resume(py);
        let this = ManuallyDrop::new(self); // Its destructor has no token.
        release(py, Some(take_object(this)));
    }

    /// Gives up the reference to a generator that has ended, on which nothing hangs any more.
    #[inline]
    pub(crate) fn release_ended(mut self, py: Python<'_>) {
        self.resume(py);
        let this = ManuallyDrop::new(self);
        take_object(this).drop_ref(py);
    }
}

/// Takes the object out of a reference, whose destructor does not run.
#[allow(unsafe_code)]
fn take_object(mut reference: ManuallyDrop<GcRef>) -> Py<PyAny> {
    // SAFETY: nobody uses the field afterwards.
    unsafe { ManuallyDrop::take(&mut reference.object) }
}

impl Drop for GcRef {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        if self.is_paused && Python::try_attach(|py| self.resume(py)).is_none() {
            // The interpreter is gone, and with it the lists: nothing may unlink the object now.
            return;
        }
        // SAFETY: nobody uses the field after `drop`.
        defer_drop(Some(unsafe { ManuallyDrop::take(&mut self.object) }));
    }
}
