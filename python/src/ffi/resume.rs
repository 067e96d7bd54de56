//! Resuming generators and coroutines.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::ffi::class_flags::flags;

/// Sends a value into a generator or coroutine, or into an object with a method `send`. Unlike a call of
/// that method, a `return` makes no exception.
#[cfg(Py_3_10)]
#[allow(unsafe_code)]
#[inline]
pub(crate) fn send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<pyo3::types::iterator::PySendResult<'py>> {
    // SAFETY: the method calls `PyIter_Send`, which takes any object. `PyIterator` only keeps others, such
    // as coroutines, from its other methods.
    unsafe { generator.cast_unchecked::<pyo3::types::PyIterator>() }.send(value)
}

/// Returns whether an object is the coroutine of an `async def` function.
#[allow(unsafe_code)]
#[inline]
pub(crate) fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object; the class is only compared. It has no subclasses.
    unsafe { std::ptr::eq(ffi::Py_TYPE(object.as_ptr()), &raw const ffi::PyCoro_Type) }
}

/// Returns whether an object may be awaited, or is a list, tuple or dict: few values are.
#[allow(unsafe_code)]
#[inline]
pub(crate) fn is_awaitable_or_collection(object: &Bound<'_, PyAny>) -> bool {
    const COLLECTIONS: std::ffi::c_ulong = ffi::Py_TPFLAGS_LIST_SUBCLASS
        | ffi::Py_TPFLAGS_TUPLE_SUBCLASS
        | ffi::Py_TPFLAGS_DICT_SUBCLASS;
    // SAFETY: a live object, which holds its class.
    unsafe {
        let class = ffi::Py_TYPE(object.as_ptr());
        !(*class).tp_as_async.is_null() || flags(class) & COLLECTIONS != 0
    }
}

/// Returns whether an object can be awaited.
#[allow(unsafe_code)]
#[inline]
pub(crate) fn has_await(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object, which holds its class; the class has its slots as long as it lives.
    unsafe {
        let slots = (*ffi::Py_TYPE(object.as_ptr())).tp_as_async;
        !slots.is_null() && (*slots).am_await.is_some()
    }
}
