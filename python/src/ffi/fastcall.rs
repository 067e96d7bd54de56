//! `fn.asynq(x)`, the call that a fan-out makes thousands of times, without a tuple of arguments.
//!
//! `pyo3` passes a tuple to every method that takes `**kwargs`. So this method is made by hand, in
//! the interpreter's own calling convention.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;

use pyo3::exceptions::PySystemError;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTypeInfo, intern};

use crate::call::args::Args;
use crate::call::binder::{AsyncDecoratorBinder, DecoratorBinder};
use crate::call::decorator::{AsyncDecorator, PureAsyncDecorator};

const DOC: &std::ffi::CStr = c"asynq($self, /, *args, **kwargs)\n--\n\n\
    Calls the function asynchronously: returns an `AsyncTask`, in asyncio mode a coroutine.";

/// Gives the classes their method `asynq`.
#[allow(unsafe_code)]
pub(crate) fn add_methods(py: Python<'_>) -> PyResult<()> {
    let methods: [(_, ffi::PyCFunctionFastWithKeywords); 2] = [
        (AsyncDecorator::type_object(py), decorator_asynq),
        (AsyncDecoratorBinder::type_object(py), binder_asynq),
    ];
    for (class, function) in methods {
        // The class refers to it as long as the process lives.
        let definition = Box::leak(Box::new(ffi::PyMethodDef {
            ml_name: c"asynq".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: function },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: DOC.as_ptr(),
        }));
        // SAFETY: a live class, and a definition that is never freed. The result is a new reference,
        // or null with an exception set.
        let method = unsafe {
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
            Bound::from_owned_ptr_or_err(py, method)?
        };
        class.setattr(intern!(py, "asynq"), method)?;
    }
    Ok(())
}

#[allow(unsafe_code)]
unsafe extern "C" fn decorator_asynq(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter keeps the promises of its calling convention.
    unsafe {
        call(slf, args, count, names, |slf, args, kwargs| {
            asynq(slf.cast::<AsyncDecorator>()?, args, kwargs)
        })
    }
}

#[allow(unsafe_code)]
unsafe extern "C" fn binder_asynq(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter keeps the promises of its calling convention.
    unsafe {
        call(slf, args, count, names, |slf, args, kwargs| {
            let binder = slf.cast::<AsyncDecoratorBinder>()?.as_super();
            let decorator = DecoratorBinder::decorator(binder);
            let args = match DecoratorBinder::instance(binder) {
                Some(instance) => with_instance(slf.py(), instance, args)?,
                None => args,
            };
            if let Ok(decorator) = decorator.cast_exact::<AsyncDecorator>() {
                return asynq(decorator, args, kwargs);
            }
            let args = args.to_tuple(slf.py())?;
            decorator.call_method(intern!(slf.py(), "asynq"), args, kwargs.as_ref())
        })
    }
}

fn asynq<'py>(
    decorator: &Bound<'py, AsyncDecorator>,
    args: Args,
    kwargs: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    PureAsyncDecorator::dispatch(decorator.as_super(), args, kwargs)
}

fn with_instance(py: Python<'_>, instance: Py<PyAny>, args: Args) -> PyResult<Args> {
    Ok(match args {
        Args::None => Args::One(instance),
        Args::One(arg) => Args::Many([instance, arg].into()),
        args => {
            let mut all = vec![instance];
            all.extend(args.to_tuple(py)?.iter().map(Bound::unbind));
            Args::Many(all.into())
        }
    })
}

/// Takes a call out of the interpreter's hands, and gives back what it expects.
///
/// # Safety
///
/// The arguments are those of a function with `METH_FASTCALL | METH_KEYWORDS`.
#[allow(unsafe_code)]
unsafe fn call<F>(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
    function: F,
) -> *mut PyObject
where
    F: for<'py> FnOnce(
        &Bound<'py, PyAny>,
        Args,
        Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>>,
{
    Python::attach(|py| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: `slf` and the arguments are live objects that the caller holds, `names` is null
            // or a tuple of as many names as there are values after the `count` arguments.
            let (slf, args, names) = unsafe {
                let names = Bound::from_borrowed_ptr_or_opt(py, names);
                let names = names.map(Bound::cast_into::<PyTuple>).transpose()?;
                let keywords = names.as_ref().map_or(0, PyTupleMethods::len);
                let count = usize::try_from(count).unwrap_or(0);
                let args: &[*mut PyObject] = if args.is_null() {
                    &[]
                } else {
                    slice::from_raw_parts(args, count + keywords)
                };
                let arg = |&arg: &*mut PyObject| Bound::from_borrowed_ptr(py, arg).unbind();
                let kwargs = names.filter(|names| !names.is_empty()).map(|names| {
                    let values = args[count..].iter().map(arg).collect::<Vec<_>>();
                    (names, values)
                });
                let args = match &args[..count] {
                    [] => Args::None,
                    [only] => Args::One(arg(only)),
                    args => Args::Many(args.iter().map(arg).collect()),
                };
                (Bound::from_borrowed_ptr(py, slf), args, kwargs)
            };
            let kwargs = match names {
                None => None,
                Some((names, values)) => {
                    let kwargs = PyDict::new(py);
                    names
                        .iter()
                        .zip(values)
                        .try_for_each(|(name, value)| kwargs.set_item(name, value))?;
                    Some(kwargs)
                }
            };
            function(&slf, args, kwargs)
        }));
        match result {
            Ok(Ok(value)) => value.into_ptr(),
            Ok(Err(error)) => {
                error.restore(py);
                ptr::null_mut()
            }
            Err(_) => {
                PySystemError::new_err("asynq has made a mistake; please report it").restore(py);
                ptr::null_mut()
            }
        }
    })
}
