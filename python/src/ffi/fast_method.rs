//! Methods in the interpreter's own calling convention.
//!
//! `pyo3` passes a tuple to every method that takes `**kwargs`. A method that a fan-out calls thousands
//! of times is made by hand instead, and gets its arguments as they lie on the interpreter's stack.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;

use pyo3::PyTypeInfo;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::imports::internal_error;

/// A method of the class `Self` that takes `*args` and `**kwargs`.
pub(crate) trait FastMethod: PyTypeInfo {
    const NAME: &'static CStr;
    const DOC: &'static CStr;

    fn call<'py>(
        slf: &Bound<'py, Self>,
        args: Positional<'_, 'py>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>>;
}

/// Positional arguments of a call, held by the caller.
#[derive(Clone, Copy)]
pub(crate) struct Positional<'a, 'py> {
    args: &'a [*mut PyObject],
    py: Python<'py>,
}

impl<'py> Positional<'_, 'py> {
    pub(crate) fn len(self) -> usize {
        self.args.len()
    }

    #[allow(unsafe_code)]
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = Bound<'py, PyAny>> {
        // SAFETY: live objects, which the caller holds.
        self.args.iter().map(move |&arg| unsafe { Bound::from_borrowed_ptr(self.py, arg) })
    }
}

/// Adds a method to its class.
#[allow(unsafe_code)]
pub(crate) fn add<M: FastMethod>(py: Python<'_>) -> PyResult<()> {
    let class = M::type_object(py);
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
    Python::attach(|py| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: `slf` and the arguments are live objects that the caller holds, `names` is null
            // or a tuple of as many names as there are values after the `count` arguments.
            let (slf, names, values) = unsafe {
                let names = Bound::from_borrowed_ptr_or_opt(py, names);
                let names = names.map(Bound::cast_into::<PyTuple>).transpose()?;
                let keywords = names.as_ref().map_or(0, PyTupleMethods::len);
                let values: &[*mut PyObject] = if args.is_null() {
                    &[]
                } else {
                    slice::from_raw_parts(args, count.unsigned_abs() + keywords)
                };
                (Bound::from_borrowed_ptr(py, slf), names, values)
            };
            let (args, values) = values.split_at(count.unsigned_abs().min(values.len()));
            let kwargs = match names {
                Some(names) if !names.is_empty() => {
                    let kwargs = PyDict::new(py);
                    let values = Positional { args: values, py };
                    for (name, value) in names.iter().zip(values.iter()) {
                        kwargs.set_item(name, value)?;
                    }
                    Some(kwargs)
                }
                _ => None,
            };
            M::call(slf.cast::<M>()?, Positional { args, py }, kwargs)
        }));
        let result = result.unwrap_or_else(|_| Err(internal_error()));
        result.map_or_else(
            |error| {
                error.restore(py);
                ptr::null_mut()
            },
            Bound::into_ptr,
        )
    })
}
