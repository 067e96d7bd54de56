//! `__init__` in the interpreter's own calling convention.
//!
//! A method descriptor of the interpreter's ([`fast_method`](crate::ffi::fast_method)) would do, but
//! `sys.setprofile` reports when it returns, unlike the slot wrapper that it replaces: a profile function
//! that raises then leaves an object behind of which only our part is initialized.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::mem::{offset_of, size_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::ffi::arguments::Arguments;
use crate::ffi::bound_method::PyMethod_New;
use crate::imports::{self, internal_error};

/// The method `__init__` of a class.
pub(crate) trait InitMethod {
    type Class: PyTypeInfo;

    /// The signature in the form that `inspect` reads: `($self, /, …)`.
    const SIGNATURE: &'static CStr;
    const DOC: &'static CStr;

    /// Makes a call as [`Callable::call_at_once`](crate::ffi::vectorcall::Callable::call_at_once) does.
    fn call(slf: &Bound<'_, Self::Class>, args: Arguments<'_, '_>) -> PyResult<()>;
}

/// Object in the dictionary of a class. It is never freed, as little as the class.
#[repr(C)]
struct Descriptor<M> {
    object: PyObject,
    vectorcall: ffi::vectorcallfunc,
    name: *const c_char,
    doc: *const c_char,
    signature: *const c_char,
    method: PhantomData<fn(M)>,
}

/// Adds the method to its class.
#[allow(unsafe_code)]
pub(crate) fn add<M: InitMethod>(py: Python<'_>) -> PyResult<()> {
    let class = class::<M>(py)?;
    // SAFETY: the class was made for objects of this layout; the result is a new reference, or null
    // with an exception set. Its fields are written before anybody else sees it.
    let descriptor = unsafe {
        let object = ffi::PyType_GenericAlloc(class.as_type_ptr(), 0);
        let descriptor = Bound::from_owned_ptr_or_err(py, object)?;
        let fields = object.cast::<Descriptor<M>>();
        (*fields).vectorcall = call::<M>;
        (*fields).name = c"__init__".as_ptr();
        (*fields).doc = M::DOC.as_ptr();
        (*fields).signature = M::SIGNATURE.as_ptr();
        descriptor
    };
    M::Class::type_object(py).setattr("__init__", descriptor)
}

#[allow(unsafe_code)]
fn class<M>(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    let member = |name: &'static CStr, type_code, offset| {
        let offset = Py_ssize_t::try_from(offset)?;
        let (name, flags) = (name.as_ptr(), ffi::Py_READONLY);
        PyResult::Ok(ffi::PyMemberDef { name, type_code, offset, flags, doc: ptr::null() })
    };
    // The class refers to them as long as the process lives.
    let members = Box::leak(Box::new([
        member(c"__vectorcalloffset__", ffi::Py_T_PYSSIZET, offset_of!(Descriptor<M>, vectorcall))?,
        member(c"__name__", ffi::Py_T_STRING, offset_of!(Descriptor<M>, name))?,
        member(c"__doc__", ffi::Py_T_STRING, offset_of!(Descriptor<M>, doc))?,
        member(c"__text_signature__", ffi::Py_T_STRING, offset_of!(Descriptor<M>, signature))?,
        ffi::PyMemberDef::default(),
    ]));
    let slot = |slot, pfunc| ffi::PyType_Slot { slot, pfunc };
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
        name: c"asynq._asynq.InitMethod".as_ptr(),
        basicsize: size_of::<Descriptor<M>>().try_into()?,
        itemsize: 0,
        flags: flags.try_into()?,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the specification is complete, its slots are functions of the right types, and
    // what it points to is never freed. The result is a new reference, or null with an exception.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))? };
    Ok(class.cast_into::<PyType>()?)
}

/// Binds the method to an object; of the class alone, returns the descriptor.
///
/// # Safety
///
/// `descriptor` is an object, and `object` one or null.
#[allow(unsafe_code)]
unsafe extern "C" fn get(
    descriptor: *mut PyObject,
    object: *mut PyObject,
    _class: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as above; the result is a new reference, or null with an exception set.
    unsafe {
        if object.is_null() {
            ffi::Py_INCREF(descriptor);
            descriptor
        } else {
            PyMethod_New(descriptor, object)
        }
    }
}

/// Takes a call from the interpreter, and returns the result as it expects it.
///
/// # Safety
///
/// The arguments are those of a vectorcall, the first of them the object.
#[allow(unsafe_code)]
unsafe extern "C" fn call<M: InitMethod>(
    _descriptor: *mut PyObject,
    args: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL when it calls an object.
    let py = unsafe { Python::assume_attached() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `count` live objects and one for each name, which the caller holds.
        let (slf, args) = unsafe {
            let count = ffi::PyVectorcall_NARGS(count).unsigned_abs();
            if count == 0 {
                return Err(PyTypeError::new_err("__init__() needs an object"));
            }
            let slf = Bound::from_borrowed_ptr(py, *args);
            (slf, Arguments::of_vectorcall(py, args.add(1), count - 1, names))
        };
        let slf = slf.cast::<M::Class>().map_err(|_| wrong_object::<M>(&slf))?;
        M::call(slf, args)
    }));
    match result.unwrap_or_else(|_| Err(internal_error())) {
        Ok(()) => py.None().into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

#[cold]
fn wrong_object<M: InitMethod>(object: &Bound<'_, PyAny>) -> PyErr {
    let class = M::Class::type_object(object.py());
    PyTypeError::new_err(format!(
        "__init__() of {} needs an object of that class, got {}",
        class.qualname().map_or_else(|_| "a class".to_owned(), |name| name.to_string()),
        imports::type_name(object)
    ))
}
