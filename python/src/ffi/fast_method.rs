//! Methods in the interpreter's own calling convention.
//!
//! `pyo3` passes a tuple to every method that takes `**kwargs`, and to `__init__`. A method that a
//! fan-out calls thousands of times is made by hand instead, and gets its arguments as they lie on the
//! interpreter's stack.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::PyTypeInfo;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;

use crate::ffi::arguments::Arguments;
use crate::ffi::interpreter::attached;
use crate::imports::internal_error;

/// A method of a class.
pub(crate) trait FastMethod {
    type Class: PyTypeInfo;

    const NAME: &'static CStr;
    /// The signature, in the form that `inspect` reads, and the documentation.
    const DOC: &'static CStr;

    fn call<'py>(
        slf: &Bound<'py, Self::Class>,
        args: Arguments<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>>;

    /// Makes a call as [`Callable::call_at_once`](crate::ffi::vectorcall::Callable::call_at_once) does.
    /// `None` if the call needs more, and was not made.
    fn call_at_once<'py>(
        slf: &Bound<'py, Self::Class>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>>;
}

/// Adds a method to its class.
#[allow(unsafe_code)]
pub(crate) fn add<M: FastMethod>(py: Python<'_>) -> PyResult<()> {
    let class = M::Class::type_object(py);
    // The class refers to it as long as the process lives.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: M::NAME.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: entry::<M> },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: M::DOC.as_ptr(),
    }));
    // SAFETY: a live class, and a definition that is never freed. The result is a new reference, or
    // null with an exception set.
    let method = unsafe {
        let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(py, method)?
    };
    class.setattr(M::NAME.to_string_lossy().as_ref(), method)
}

/// Takes a call from the interpreter, and returns the result as it expects it.
///
/// # Safety
///
/// The arguments are those of a function with `METH_FASTCALL | METH_KEYWORDS`.
#[allow(unsafe_code)]
unsafe extern "C" fn entry<M: FastMethod>(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL when it calls a method. `slf` and the arguments are live objects
    // that the caller holds. The descriptor has checked the class of `slf`.
    let (py, slf, args) = unsafe {
        let py = Python::assume_attached();
        let slf = Bound::from_borrowed_ptr(py, slf).cast_into_unchecked::<M::Class>();
        (py, slf, Arguments::of_vectorcall(py, args, count.unsigned_abs(), names))
    };
    let result = catch_unwind(AssertUnwindSafe(|| {
        M::call_at_once(&slf, args).unwrap_or_else(|| attached(py, || M::call(&slf, args)))
    }));
    result.unwrap_or_else(|_| Err(internal_error())).map_or_else(
        |error| {
            error.restore(py);
            ptr::null_mut()
        },
        Bound::into_ptr,
    )
}
