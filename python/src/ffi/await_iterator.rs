//! Iterator of `await future` and of `yield from future`.
//!
//! It hands the future to whoever resumes the generator or coroutine, and returns what that sends. `pyo3`
//! has no slot for a `return` without an exception, which every await would pay for.

use std::ffi::c_int;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::Borrowed;
#[cfg(not(Py_3_12))]
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::PyType;

use crate::ffi::deferred_drop::release;

/// Returns the value of the awaited object, for somebody who sends `None` instead.
pub(crate) type Finish = for<'py> fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;

#[repr(C)]
struct AwaitIterator {
    object: PyObject,
    /// Object that is awaited; null once its value was returned.
    awaited: *mut PyObject,
    /// Exception by which the value was returned, to be used again; see [`SPARE_EXCEPTION`].
    #[cfg(Py_3_12)]
    exception: *mut PyObject,
    finish: Finish,
    is_started: bool,
}

/// Makes the iterator of an object.
#[allow(unsafe_code)]
pub(crate) fn new<'py>(awaited: &Bound<'py, PyAny>, finish: Finish) -> PyResult<Bound<'py, PyAny>> {
    let py = awaited.py();
    let class = class(py)?;
    // SAFETY: the class was made for objects of this layout, and memory that is used again had the same.
    // All fields are written before the collector gets to know the object. `PyObject_GC_New` returns a
    // new reference, or null with an exception set.
    unsafe {
        let spare = if KEEPS_SPARES { SPARE.load(Ordering::Relaxed) } else { ptr::null_mut() };
        let object = if spare.is_null() {
            ffi::PyObject_GC_New::<PyObject>(class.as_type_ptr())
        } else {
            SPARE.store((*spare.cast::<AwaitIterator>()).awaited, Ordering::Relaxed);
            SPARES.store(SPARES.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
            ffi::PyObject_Init(spare, class.as_type_ptr())
        };
        let iterator = Bound::from_owned_ptr_or_err(py, object)?;
        let fields = object.cast::<AwaitIterator>();
        (&raw mut (*fields).awaited).write(awaited.clone().into_ptr());
        #[cfg(Py_3_12)]
        (&raw mut (*fields).exception).write(ptr::null_mut());
        (&raw mut (*fields).finish).write(finish);
        (&raw mut (*fields).is_started).write(false);
        ffi::PyObject_GC_Track(object.cast());
        Ok(iterator)
    }
}

/// Set if memory and exceptions are used again, which needs the GIL.
const KEEPS_SPARES: bool = !cfg!(Py_GIL_DISABLED);

/// Memory of iterators that were freed, for the next ones: the first, whose `awaited` is the second, and
/// so on. Whoever holds the GIL reads and writes it.
static SPARE: AtomicPtr<PyObject> = AtomicPtr::new(ptr::null_mut());
/// Number of spare iterators.
static SPARES: AtomicUsize = AtomicUsize::new(0);
/// Maximum number of spare iterators, 64 bytes each.
const MAX_SPARES: usize = 1000;

#[allow(unsafe_code)]
fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || {
        // The class refers to them as long as the process lives.
        let methods = Box::leak(Box::new([
            ffi::PyMethodDef {
                ml_name: c"send".as_ptr(),
                ml_meth: ffi::PyMethodDefPointer { PyCFunction: send_method },
                ml_flags: ffi::METH_O,
                ml_doc: c"Returns the future at first, and then raises StopIteration(value)."
                    .as_ptr(),
            },
            ffi::PyMethodDef::zeroed(),
        ]));
        let slots = Box::leak(Box::new([
            slot(ffi::Py_tp_dealloc, dealloc as *mut _),
            slot(ffi::Py_tp_traverse, traverse as *mut _),
            slot(ffi::Py_tp_clear, clear as *mut _),
            slot(ffi::Py_tp_iter, ffi::PyObject_SelfIter as *mut _),
            slot(ffi::Py_tp_iternext, next as *mut _),
            slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
            #[cfg(Py_3_10)]
            slot(ffi::Py_am_send, send as *mut _),
            slot(0, ptr::null_mut()),
        ]));
        let flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC;
        let mut spec = ffi::PyType_Spec {
            name: c"asynq._asynq.AwaitIterator".as_ptr(),
            basicsize: size_of::<AwaitIterator>().try_into()?,
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

const fn slot(slot: c_int, value: *mut std::ffi::c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc: value }
}

/// Way in which an iterator answers.
enum Answer<'py> {
    Yield(Bound<'py, PyAny>),
    Return(Bound<'py, PyAny>),
}

/// Resumes an iterator with a value.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`], and `value` an object. The thread holds the GIL.
#[allow(unsafe_code)]
#[inline]
unsafe fn resume(
    py: Python<'_>,
    iterator: *mut PyObject,
    value: *mut PyObject,
) -> PyResult<Answer<'_>> {
    // SAFETY: as above. The iterator holds what is awaited; no reference to its fields is kept while other
    // code runs. Free-threaded, they are read and written under the lock of the iterator.
    unsafe {
        let object = Borrowed::from_ptr(py, iterator);
        let iterator = iterator.cast::<AwaitIterator>();
        let value = Bound::from_borrowed_ptr(py, value);
        let (is_first, awaited) = with_critical_section(&object, || {
            let awaited = (*iterator).awaited;
            let is_first = !awaited.is_null() && !(*iterator).is_started;
            (*iterator).is_started |= is_first;
            let is_needed = is_first || value.is_none();
            let awaited = if is_needed { awaited } else { ptr::null_mut() };
            (is_first, Bound::from_borrowed_ptr_or_opt(py, awaited))
        });
        let value = match awaited {
            Some(awaited) if is_first => return Ok(Answer::Yield(awaited)),
            Some(awaited) => ((*iterator).finish)(&awaited)?,
            None => value,
        };
        let awaited = with_critical_section(&object, || {
            ptr::replace(&raw mut (*iterator).awaited, ptr::null_mut())
        });
        release(py, Bound::from_owned_ptr_or_opt(py, awaited).map(Bound::unbind));
        Ok(Answer::Return(value))
    }
}

/// Resumes an iterator on behalf of the interpreter: a `return` makes no exception.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`], `value` an object, and `result` a place for one.
#[cfg(Py_3_10)]
#[allow(unsafe_code)]
unsafe extern "C" fn send(
    iterator: *mut PyObject,
    value: *mut PyObject,
    result: *mut *mut PyObject,
) -> ffi::PySendResult {
    // SAFETY: as above; the interpreter holds the GIL when it calls a slot.
    unsafe {
        let py = Python::assume_attached();
        match resume(py, iterator, value) {
            Ok(Answer::Yield(object)) => {
                *result = object.into_ptr();
                ffi::PySendResult::PYGEN_NEXT
            }
            Ok(Answer::Return(object)) => {
                *result = object.into_ptr();
                ffi::PySendResult::PYGEN_RETURN
            }
            Err(error) => {
                error.restore(py);
                *result = ptr::null_mut();
                ffi::PySendResult::PYGEN_ERROR
            }
        }
    }
}

/// Resumes an iterator with `None`.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`].
#[allow(unsafe_code)]
unsafe extern "C" fn next(iterator: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above; `None` is an object.
    unsafe { send_method(iterator, ffi::Py_None()) }
}

/// The method `send`.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`], and `value` an object.
#[allow(unsafe_code)]
unsafe extern "C" fn send_method(iterator: *mut PyObject, value: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above; the interpreter holds the GIL when it calls a slot or method.
    let (py, answer) = unsafe {
        let py = Python::assume_attached();
        (py, resume(py, iterator, value))
    };
    match answer {
        Ok(Answer::Yield(object)) => return object.into_ptr(),
        // SAFETY: as above.
        Ok(Answer::Return(object)) => unsafe { raise_value(iterator, object) },
        Err(error) => error.restore(py),
    }
    ptr::null_mut()
}

/// Raises the `StopIteration` of a value.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`] that has no exception yet.
#[cfg(not(Py_3_12))]
#[allow(unsafe_code)]
unsafe fn raise_value(_iterator: *mut PyObject, value: Bound<'_, PyAny>) {
    let py = value.py();
    PyStopIteration::new_err((value.unbind(),)).restore(py);
}

/// Exception for the next value that is returned.
///
/// From CPython 3.12 on, whatever an await returns goes through an exception, unless it is a generator's,
/// and making one takes longer than all the rest of the await. The interpreter reads its value and gives it
/// up, so the iterator keeps it and, when it dies itself right afterwards, leaves it to the next one. An
/// exception that somebody else has got is not used again.
#[cfg(Py_3_12)]
static SPARE_EXCEPTION: AtomicPtr<PyObject> = AtomicPtr::new(ptr::null_mut());

/// Raises the `StopIteration` of a value.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`].
#[cfg(Py_3_12)]
#[allow(unsafe_code)]
unsafe fn raise_value(iterator: *mut PyObject, value: Bound<'_, PyAny>) {
    let py = value.py();
    let iterator = iterator.cast::<AwaitIterator>();
    // SAFETY: as above. The spare exception is a `StopIteration` that nobody else refers to, whose value is
    // `None`. `PyErr_SetRaisedException` takes a reference of its own.
    unsafe {
        let spare = SPARE_EXCEPTION.swap(ptr::null_mut(), Ordering::Relaxed);
        let exception = if spare.is_null() {
            ffi::PyObject_CallNoArgs(ffi::PyExc_StopIteration)
        } else {
            spare
        };
        if exception.is_null() {
            return; // It could not be made, which is an error by itself.
        }
        let place = &raw mut (*exception.cast::<ffi::PyStopIterationObject>()).value;
        let before = ptr::replace(place, value.into_ptr());
        drop(Bound::from_owned_ptr_or_opt(py, before));
        if KEEPS_SPARES && (*iterator).exception.is_null() {
            ffi::Py_INCREF(exception);
            (*iterator).exception = exception;
        }
        ffi::PyErr_SetRaisedException(exception);
    }
}

/// Leaves the exception of an iterator to the next one, if nobody has got it.
///
/// # Safety
///
/// `exception` is an owned reference to a `StopIteration`, or null.
#[cfg(Py_3_12)]
#[allow(unsafe_code)]
unsafe fn recycle(py: Python<'_>, exception: *mut PyObject) {
    if exception.is_null() {
        return;
    }
    // SAFETY: as above; the pointers are only compared.
    unsafe {
        let fields = exception.cast::<ffi::PyStopIterationObject>();
        let is_pristine = ffi::Py_REFCNT(exception) == 1
            && (*fields).dict.is_null()
            && (*fields).traceback.is_null()
            && (*fields).context.is_null()
            && (*fields).cause.is_null();
        if !is_pristine {
            drop(Bound::from_owned_ptr(py, exception));
            return;
        }
        let value = ptr::replace(&raw mut (*fields).value, py.None().into_ptr());
        let other = SPARE_EXCEPTION.swap(exception, Ordering::Relaxed);
        drop(Bound::from_owned_ptr_or_opt(py, other));
        release(py, Bound::from_owned_ptr_or_opt(py, value).map(Bound::unbind));
    }
}

/// Frees an iterator.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`] to which nothing refers any more.
#[allow(unsafe_code)]
unsafe extern "C" fn dealloc(iterator: *mut PyObject) {
    // SAFETY: as above; an object of a heap type holds its class. The memory is left to the next iterator,
    // unless there is enough of it.
    unsafe {
        ffi::PyObject_GC_UnTrack(iterator.cast());
        let py = Python::assume_attached();
        let fields = iterator.cast::<AwaitIterator>();
        let awaited = (*fields).awaited;
        #[cfg(Py_3_12)]
        let exception = (*fields).exception;
        let class = ffi::Py_TYPE(iterator);
        let spares = SPARES.load(Ordering::Relaxed);
        if KEEPS_SPARES && spares < MAX_SPARES {
            (*fields).awaited = SPARE.swap(iterator, Ordering::Relaxed);
            SPARES.store(spares + 1, Ordering::Relaxed);
        } else {
            ffi::PyObject_GC_Del(iterator.cast());
        }
        ffi::Py_DECREF(class.cast());
        #[cfg(Py_3_12)]
        recycle(py, exception);
        // A long chain of tasks may hang on it.
        release(py, Bound::from_owned_ptr_or_opt(py, awaited).map(Bound::unbind));
    }
}

/// Visits what is awaited.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`], and the others are those of the garbage collector.
#[allow(unsafe_code)]
unsafe extern "C" fn traverse(
    iterator: *mut PyObject,
    visit: ffi::visitproc,
    data: *mut std::ffi::c_void,
) -> c_int {
    // SAFETY: as above; an object of a heap type holds its class.
    unsafe {
        let fields = iterator.cast::<AwaitIterator>();
        let class = ffi::Py_TYPE(iterator).cast::<PyObject>();
        #[cfg(Py_3_12)]
        let objects = [class, (*fields).awaited, (*fields).exception];
        #[cfg(not(Py_3_12))]
        let objects = [class, (*fields).awaited];
        for object in objects {
            if !object.is_null() {
                let answer = visit(object, data);
                if answer != 0 {
                    return answer;
                }
            }
        }
        0
    }
}

/// Gives up what is awaited.
///
/// # Safety
///
/// `iterator` is an [`AwaitIterator`].
#[allow(unsafe_code)]
unsafe extern "C" fn clear(iterator: *mut PyObject) -> c_int {
    let iterator = iterator.cast::<AwaitIterator>();
    // SAFETY: as above; the garbage collector holds the GIL.
    unsafe {
        let awaited = ptr::replace(&raw mut (*iterator).awaited, ptr::null_mut());
        drop(Bound::from_owned_ptr_or_opt(Python::assume_attached(), awaited));
    }
    0
}
