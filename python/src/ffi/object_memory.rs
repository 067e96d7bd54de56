//! Memory of the objects that a fan-out makes thousands of: tasks, items and loads.
//!
//! `pyo3` clears the memory of a new object and puts it on the collector's lists, from which a task is
//! taken at once; and it frees an object class by class. Here a new task is on no list, its memory is
//! that of an earlier one, and the fields of all its classes are dropped in one go.

use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{Borrowed, PyClass};

/// A class whose objects are freed here, or a base of one.
pub(crate) trait HotClass: PyClass<Frozen = True, BaseType = Self::Base> + Sync {
    type Base: Fields;

    /// Gives up the fields of an object that dies, however long the chain that hangs on them.
    fn give_up(self, py: Python<'_>);
}

/// The fields of a class and of its bases.
pub(crate) trait Fields {
    /// Drops them.
    ///
    /// # Safety
    ///
    /// `object` is one of the class, and nobody uses its fields afterwards.
    #[allow(unsafe_code)]
    unsafe fn drop_fields(py: Python<'_>, object: *mut PyObject);
}

impl Fields for PyAny {
    #[allow(unsafe_code)]
    unsafe fn drop_fields(_py: Python<'_>, _object: *mut PyObject) {}
}

#[allow(unsafe_code)]
impl<T: HotClass> Fields for T {
    #[inline]
    unsafe fn drop_fields(py: Python<'_>, object: *mut PyObject) {
        // SAFETY: the caller gives them up. `Borrowed` does not count its reference: to give up one
        // that was counted would free the object once more.
        unsafe {
            let borrowed = Borrowed::from_ptr(py, object).cast_unchecked::<T>();
            let own = object.byte_add(own_fields_at::<T>(&borrowed)).cast::<T>();
            own.read().give_up(py);
            T::Base::drop_fields(py, object);
        }
    }
}

/// Returns the offset in the object of the fields that the class itself has.
fn own_fields_at<T: HotClass>(object: &Bound<'_, T>) -> usize {
    ptr::from_ref(object.get()).addr() - object.as_ptr().addr()
}

/// Frees the objects of a class and of its subclasses here. It must not have objects yet.
#[allow(unsafe_code)]
pub(crate) fn install<T: HotClass>(py: Python<'_>) {
    // SAFETY: a live class, which nobody uses yet. The function frees objects of the class.
    unsafe { (*T::type_object_raw(py)).tp_dealloc = Some(free::<T>) };
}

/// Frees an object: the `tp_dealloc` of a class.
///
/// # Safety
///
/// `object` is one of the class `T` or a subclass, and nobody refers to it any more.
#[allow(unsafe_code)]
unsafe extern "C" fn free<T: HotClass>(object: *mut PyObject) {
    // SAFETY: as above; each object owns a reference to its class.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        // What outlives the interpreter is not freed: what its fields refer to may be gone.
        if Python::try_attach(|py| T::drop_fields(py, object)).is_none() {
            return;
        }
        let class = ffi::Py_TYPE(object);
        free_memory(object, class);
        ffi::Py_DECREF(class.cast());
    }
}

/// Gives the memory of an object back to the allocator of its class.
///
/// # Safety
///
/// `object` was made by that allocator, and nobody uses it afterwards.
#[allow(unsafe_code)]
unsafe fn free_memory(object: *mut PyObject, class: *mut ffi::PyTypeObject) {
    // SAFETY: as above. A class with the collector's header has no other function than this one.
    unsafe {
        match (*class).tp_free {
            Some(free) => free(object.cast()),
            None => ffi::PyObject_GC_Del(object.cast()),
        }
    }
}

/// A class whose new objects take the memory of freed ones. It has one base, and weak references.
pub(crate) trait Recycled: HotClass<Base: HotClass<Base = PyAny>> {
    fn spare() -> &'static Spare;

    /// Runs before an object goes, while all that it refers to is whole.
    ///
    /// Destructors run too late for calls of Python functions: the collector has cleared those by then,
    /// and up to `CPython` 3.10 a cleared function crashes whoever looks at its name.
    fn finalize(&self, py: Python<'_>);
}

/// Memory of freed objects of a class, and the places of their fields. Under the GIL: a free-threaded
/// interpreter keeps no memory here.
pub(crate) struct Spare {
    /// A list that is linked by the first word of each.
    first: AtomicPtr<PyObject>,
    count: AtomicUsize,
    base_at: AtomicUsize,
    own_at: AtomicUsize,
    weak_references_at: AtomicUsize,
}

/// Number of freed objects whose memory is kept.
const MAX_SPARE: usize = 1024;

impl Spare {
    pub(crate) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(ptr::null_mut()),
            count: AtomicUsize::new(0),
            base_at: AtomicUsize::new(0),
            own_at: AtomicUsize::new(0),
            weak_references_at: AtomicUsize::new(0),
        }
    }

    /// Takes the memory of an object; null if there is none.
    #[allow(unsafe_code)]
    fn take(&self) -> *mut PyObject {
        if cfg!(Py_GIL_DISABLED) {
            return ptr::null_mut();
        }
        let object = self.first.load(Ordering::Relaxed);
        if !object.is_null() {
            // SAFETY: memory that was put here, so its first word is the link.
            let next = unsafe { *object.cast::<*mut PyObject>() };
            self.first.store(next, Ordering::Relaxed);
            self.count.store(self.count.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        }
        object
    }

    /// Keeps the memory of an object, unless there is enough. Returns whether it does.
    ///
    /// # Safety
    ///
    /// The object was freed, but not its memory.
    #[allow(unsafe_code)]
    unsafe fn put(&self, object: *mut PyObject) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        if count == MAX_SPARE || cfg!(Py_GIL_DISABLED) {
            return false;
        }
        // SAFETY: nobody else uses this memory.
        unsafe { *object.cast::<*mut PyObject>() = self.first.load(Ordering::Relaxed) };
        self.first.store(object, Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        true
    }
}

/// Makes and frees the objects of a class here. `specimen` is its first object.
///
/// # Errors
///
/// `ImportError` if `pyo3` lays out objects in another way than is known here.
#[allow(unsafe_code)]
pub(crate) fn install_recycled<T: Recycled>(specimen: &Bound<'_, T>) -> PyResult<()> {
    let class = T::type_object(specimen.py());
    let (base_at, own_at) = (own_fields_at(specimen.as_super()), own_fields_at(specimen));
    // SAFETY: a live class, whose description nobody changes meanwhile.
    let (weak_references_at, size) = unsafe {
        let class = class.as_type_ptr();
        ((*class).tp_weaklistoffset.unsigned_abs(), (*class).tp_basicsize.unsigned_abs())
    };
    let is_known = base_at == size_of::<PyObject>()
        && own_at == base_at + size_of::<T::Base>()
        && weak_references_at == own_at + size_of::<T>()
        && size == weak_references_at + size_of::<*mut PyObject>();
    if !is_known {
        return Err(PyImportError::new_err("asynq was built with an unknown version of pyo3"));
    }
    let spare = T::spare();
    spare.base_at.store(base_at, Ordering::Relaxed);
    spare.own_at.store(own_at, Ordering::Relaxed);
    spare.weak_references_at.store(weak_references_at, Ordering::Relaxed);
    // SAFETY: a live class, which nobody uses yet. The functions are for objects of the class.
    unsafe {
        let class = class.as_type_ptr();
        (*class).tp_dealloc = Some(free_recycled::<T>);
        (*class).tp_finalize = Some(finalize::<T>);
    }
    Ok(())
}

/// Finalises an object: the `tp_finalize` of a class, which the collector calls before it clears objects.
///
/// # Safety
///
/// `object` is one of the class `T` or a subclass.
#[allow(unsafe_code)]
unsafe extern "C" fn finalize<T: Recycled>(object: *mut PyObject) {
    let _ = Python::try_attach(|py| {
        // SAFETY: as above. The reference is not counted, because a freed object has none.
        let object = unsafe { Borrowed::from_ptr(py, object).cast_unchecked::<T>() };
        object.get().finalize(py);
    });
}

/// Makes an object that is on no list of the collector.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn new_object<T: Recycled>(
    py: Python<'_>,
    base: T::Base,
    own: T,
) -> PyResult<Bound<'_, T>> {
    let (class, spare) = (T::type_object_raw(py), T::spare());
    let object = spare.take();
    // SAFETY: the memory has the size of an object, and `install_recycled` has checked the places of
    // its fields. They are all written before anybody else sees the object. `PyObject_GC_New` returns a
    // new reference, or null with an exception set; if it runs the collector, that does not know the
    // object.
    unsafe {
        let object = if object.is_null() {
            ffi::PyObject_GC_New::<PyObject>(class)
        } else {
            ffi::PyObject_Init(object, class)
        };
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        object.byte_add(spare.base_at.load(Ordering::Relaxed)).cast::<T::Base>().write(base);
        object.byte_add(spare.own_at.load(Ordering::Relaxed)).cast::<T>().write(own);
        let weak_references = object.byte_add(spare.weak_references_at.load(Ordering::Relaxed));
        weak_references.cast::<*mut PyObject>().write(ptr::null_mut());
        Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked())
    }
}

/// Frees an object, and keeps its memory for another one: the `tp_dealloc` of a class.
///
/// # Safety
///
/// `object` is one of the class `T` or a subclass, and nobody refers to it any more.
#[allow(unsafe_code)]
unsafe extern "C" fn free_recycled<T: Recycled>(object: *mut PyObject) {
    // SAFETY: as above; each object owns a reference to its class. Weak references are cleared before
    // code can run, which must not find the object.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let (class, spare) = (ffi::Py_TYPE(object), T::spare());
        let weak_references = object.byte_add(spare.weak_references_at.load(Ordering::Relaxed));
        if !(*weak_references.cast::<*mut PyObject>()).is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let is_finalized = ffi::PyObject_GC_IsFinalized(object) != 0;
        let is_exact = Python::try_attach(|py| {
            if !is_finalized {
                Borrowed::from_ptr(py, object).cast_unchecked::<T>().get().finalize(py);
            }
            T::drop_fields(py, object);
            class == T::type_object_raw(py)
        });
        // What outlives the interpreter is not freed: what its fields refer to may be gone.
        let Some(is_exact) = is_exact else { return };
        // An object of a subclass has another size, and the memory of a finalised one says that it is.
        if is_finalized || !is_exact || !spare.put(object) {
            free_memory(object, class);
        }
        ffi::Py_DECREF(class.cast());
    }
}
