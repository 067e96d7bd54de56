//! Objects that are called in the interpreter's own calling convention.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::PyClass;
use pyo3::exceptions::PyImportError;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;

use crate::ffi::arguments::Arguments;
use crate::ffi::class_flags::add_flag;
use crate::ffi::interpreter::attached;
use crate::imports::internal_error;

/// A class whose objects are called. Its `__call__` must do the same as `call`, for its subclasses in
/// Python.
pub(crate) trait Callable: PyClass<Frozen = True> + Sync {
    fn call<'py>(slf: &Bound<'py, Self>, args: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>>;

    /// Makes a call that needs nothing of `pyo3`'s knowledge of this thread: it gives up no reference but
    /// those that have a token. `None` if the call needs more, and was not made.
    fn call_at_once<'py>(
        slf: &Bound<'py, Self>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>>;

    fn entry(&self) -> &Entry<Self>
    where
        Self: Sized;
}

/// Function that the interpreter calls for an object. Each object of a callable class has one.
pub(crate) struct Entry<T> {
    function: ffi::vectorcallfunc,
    class: PhantomData<fn(T)>,
}

impl<T: Callable> Default for Entry<T> {
    fn default() -> Self {
        Self { function: enter::<T>, class: PhantomData }
    }
}

/// Has the interpreter call the objects of a class by [`Callable::call`]. `specimen` is the first one.
///
/// # Errors
///
/// `ImportError` if its objects are too large, which they are not.
#[allow(unsafe_code)]
pub(crate) fn install<T: Callable>(specimen: &Bound<'_, T>) -> PyResult<()> {
    let entry = &specimen.get().entry().function;
    let offset = ptr::from_ref(entry).addr() - specimen.as_ptr().addr();
    let offset = Py_ssize_t::try_from(offset)
        .map_err(|_| PyImportError::new_err("objects of asynq are too large"))?;
    // SAFETY: a live class, which nobody uses yet. Each of its objects has a function at this offset.
    unsafe {
        let class = T::type_object_raw(specimen.py());
        (*class).tp_vectorcall_offset = offset;
        add_flag(class, ffi::Py_TPFLAGS_HAVE_VECTORCALL);
        ffi::PyType_Modified(class);
    }
    Ok(())
}

/// Calls a function, one level deeper in the interpreter's count of nested calls.
///
/// # Errors
///
/// `RecursionError` if that is too deep.
#[allow(unsafe_code)]
#[inline]
fn recursive<T>(py: Python<'_>, function: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: the thread holds the GIL, and leaves the level that it has entered.
    unsafe {
        if ffi::Py_EnterRecursiveCall(c" while calling a Python object".as_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        let result = function();
        ffi::Py_LeaveRecursiveCall();
        result
    }
}

/// Takes a call from the interpreter, and returns the result as it expects it.
///
/// # Safety
///
/// `slf` is an object of the class, and the arguments are those of a vectorcall.
#[allow(unsafe_code)]
unsafe extern "C" fn enter<T: Callable>(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL when it calls an object. The others are live objects that the
    // caller holds.
    let (py, slf, args) = unsafe {
        let py = Python::assume_attached();
        let slf = Bound::from_borrowed_ptr(py, slf).cast_into_unchecked::<T>();
        let count = ffi::PyVectorcall_NARGS(count).unsigned_abs();
        (py, slf, Arguments::of_vectorcall(py, args, count, names))
    };
    let result = catch_unwind(AssertUnwindSafe(|| {
        recursive(py, || {
            // To attach the thread takes longer than most calls.
            T::call_at_once(&slf, args).unwrap_or_else(|| attached(py, || T::call(&slf, args)))
        })
    }));
    result.unwrap_or_else(|_| Err(internal_error())).map_or_else(
        |error| {
            error.restore(py);
            ptr::null_mut()
        },
        Bound::into_ptr,
    )
}
