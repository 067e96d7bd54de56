//! Methods such as `f.asynq`, which a fan-out calls thousands of times and tools inspect.
//!
//! The class attribute is a *call form*. In `f.asynq(x)` the interpreter calls it like any method,
//! without an object in between. A look-up of `f.asynq` alone makes a bound method with the signature
//! of `f` (`asynq._function_attributes`), which `f` keeps. From `CPython` 3.11 on, that is also what
//! `f.asynq(x)` does if the module of the call has imported `f`: its compiler takes `f` for a module.

use std::ffi::CStr;
use std::mem::{offset_of, size_of};
use std::ptr;

use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyType};

use crate::ffi::{bound_method, thread_exit};
use crate::imports;

/// Object in the dictionary of a class. It is never freed, as little as the class.
#[repr(C)]
struct CallForm {
    object: PyObject,
    /// Attributes that tools set, such as the mark of coroutine functions.
    attributes: *mut PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// Called with the object of the call and the arguments.
    function: *mut PyObject,
    is_async: bool,
}

/// Makes a call form of the function of a method. `is_async`: it returns a coroutine.
///
/// Only for attributes of classes that live as long as the process.
#[pyfunction]
#[pyo3(signature = (function, is_async=false))]
#[allow(unsafe_code)]
pub(crate) fn call_form(function: Bound<'_, PyAny>, is_async: bool) -> PyResult<Bound<'_, PyAny>> {
    let py = function.py();
    let class = class(py)?;
    // SAFETY: the class was made for objects of this layout; the result is a new reference, or null
    // with an exception set. Its fields are written before anybody else sees it.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_type_ptr(), 0);
        let form = Bound::from_owned_ptr_or_err(py, object)?;
        let fields = object.cast::<CallForm>();
        (*fields).vectorcall = forward;
        (*fields).function = function.into_ptr();
        (*fields).is_async = is_async;
        Ok(form)
    }
}

#[allow(unsafe_code)]
fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || {
        // The class refers to them as long as the process lives.
        let members = Box::leak(Box::new([
            offset(c"__dictoffset__", offset_of!(CallForm, attributes))?,
            offset(c"__vectorcalloffset__", offset_of!(CallForm, vectorcall))?,
            ffi::PyMemberDef::default(),
        ]));
        let slots = Box::leak(Box::new([
            slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut _),
            slot(ffi::Py_tp_descr_get, get as *mut _),
            slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
            slot(0, ptr::null_mut()),
        ]));
        let flags = ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL
            | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR;
        let mut spec = ffi::PyType_Spec {
            name: c"asynq._asynq.CallForm".as_ptr(),
            basicsize: size_of::<CallForm>().try_into()?,
            itemsize: 0,
            flags: flags.try_into()?,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the specification is complete, its slots are functions of the right types, and
        // what it points to is never freed. The result is a new reference, or null with an exception.
        let class =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))? };
        Ok::<_, PyErr>(class.cast_into::<PyType>()?.unbind())
    })?;
    Ok(class.bind(py))
}

/// Returns the member by which a class tells the offset of a field.
fn offset(name: &'static CStr, offset: usize) -> PyResult<ffi::PyMemberDef> {
    Ok(ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: Py_ssize_t::try_from(offset)?,
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    })
}

const fn slot(slot: std::ffi::c_int, value: *mut std::ffi::c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc: value }
}

/// Calls the function.
///
/// # Safety
///
/// `form` is a [`CallForm`], and the arguments are those of a vectorcall.
#[allow(unsafe_code)]
unsafe extern "C" fn forward(
    form: *mut PyObject,
    args: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as above; the form holds its function.
    unsafe { ffi::PyObject_Vectorcall((*form.cast::<CallForm>()).function, args, count, names) }
}

/// Binds a form to an object; of the class alone, returns the function.
///
/// # Safety
///
/// `form` is a [`CallForm`], and `object` an object or null.
#[allow(unsafe_code)]
unsafe extern "C" fn get(
    form: *mut PyObject,
    object: *mut PyObject,
    _class: *mut PyObject,
) -> *mut PyObject {
    Python::attach(|py| {
        thread_exit::protect();
        // SAFETY: live objects, which the caller holds; the form holds its function.
        let (function, is_async, form, object) = unsafe {
            let fields = &*form.cast::<CallForm>();
            let function = Bound::from_borrowed_ptr(py, fields.function);
            let form = Bound::from_borrowed_ptr(py, form);
            (function, fields.is_async, form, Bound::from_borrowed_ptr_or_opt(py, object))
        };
        let bound = match object {
            Some(object) => bind(&form, function, is_async, &object),
            None => Ok(function),
        };
        bound.map_or_else(
            |error| {
                error.restore(py);
                ptr::null_mut()
            },
            Bound::into_ptr,
        )
    })
}

/// Returns the bound method of an object, with the function that the object keeps for it.
fn bind<'py>(
    form: &Bound<'py, PyAny>,
    function: Bound<'py, PyAny>,
    is_async: bool,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = form.py();
    let kept = object.getattr_opt(intern!(py, "_call_forms"))?;
    let kept = kept.as_ref().and_then(|kept| kept.cast_exact::<PyDict>().ok());
    if let Some(known) = kept.map(|kept| kept.get_item(form)).transpose()?.flatten() {
        return bound_method::bind(&known, object);
    }
    let is_async = PyBool::new(py, is_async);
    imports::bind_call_form(py)?.call1((form, function, is_async, object))
}
