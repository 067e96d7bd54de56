//! References that are not counted.

use std::marker::PhantomData;

use pyo3::ffi::PyObject;
use pyo3::prelude::*;

/// A reference to an object that the code around holds.
///
/// # Note: who holds it
///
/// Only a scheduler keeps these: its call stack, no longer than the guard lives which
/// [`CallStack::push_task`](crate::scheduler::call_stack::CallStack::push_task) has returned, and that
/// borrows the counted reference; and the [`Start`](crate::scheduler::starts::Start) of a task, which is
/// removed by the function that was called with both references. What a panic leaves is never read.
pub(crate) struct Unowned<T> {
    object: *mut PyObject,
    class: PhantomData<T>,
}

impl<T> Unowned<T> {
    #[inline]
    pub(crate) fn new(object: &Bound<'_, T>) -> Self {
        Self { object: object.as_ptr(), class: PhantomData }
    }

    /// Returns a counted reference.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Bound<'py, T> {
        // SAFETY: a live object of the class, which the code around holds.
        unsafe { Bound::from_borrowed_ptr(py, self.object).cast_into_unchecked() }
    }
}
