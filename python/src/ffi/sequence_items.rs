//! The items of lists and tuples, read without counting references to them, as long as there is a GIL.

#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use gil::{all, try_map};
#[cfg(Py_GIL_DISABLED)]
pub(crate) use threads::{all, try_map};

#[cfg(not(Py_GIL_DISABLED))]
mod gil {
    use pyo3::Borrowed;
    use pyo3::ffi::{self, Py_ssize_t, PyObject};
    use pyo3::prelude::*;
    use pyo3::types::{PyList, PyTuple};

    /// A class of objects that hold items in a row.
    pub(crate) trait Sequence: Sized {
        /// Returns the number of items.
        fn len(slf: &Bound<'_, Self>) -> Py_ssize_t;

        /// Returns an item, which the object holds.
        ///
        /// # Safety
        ///
        /// `index` is less than the number of items.
        #[allow(unsafe_code)]
        unsafe fn item(slf: &Bound<'_, Self>, index: Py_ssize_t) -> *mut PyObject;
    }

    #[allow(unsafe_code)]
    impl Sequence for PyList {
        #[inline]
        fn len(slf: &Bound<'_, Self>) -> Py_ssize_t {
            // SAFETY: a live list.
            unsafe { ffi::PyList_GET_SIZE(slf.as_ptr()) }
        }

        #[inline]
        unsafe fn item(slf: &Bound<'_, Self>, index: Py_ssize_t) -> *mut PyObject {
            // SAFETY: a live list, and the index is that of an item.
            unsafe { ffi::PyList_GET_ITEM(slf.as_ptr(), index) }
        }
    }

    #[allow(unsafe_code)]
    impl Sequence for PyTuple {
        #[inline]
        fn len(slf: &Bound<'_, Self>) -> Py_ssize_t {
            // SAFETY: a live tuple.
            unsafe { ffi::PyTuple_GET_SIZE(slf.as_ptr()) }
        }

        #[inline]
        unsafe fn item(slf: &Bound<'_, Self>, index: Py_ssize_t) -> *mut PyObject {
            // SAFETY: a live tuple, and the index is that of an item.
            unsafe { ffi::PyTuple_GET_ITEM(slf.as_ptr(), index) }
        }
    }

    /// Returns whether `test`, which must not run Python code, is true of all items.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn all<'py, T: Sequence>(
        sequence: &Bound<'py, T>,
        mut test: impl FnMut(&Bound<'py, PyAny>) -> bool,
    ) -> bool {
        (0..T::len(sequence)).all(|index| {
            // SAFETY: the sequence holds its items, and nobody changes it meanwhile, since no other code runs.
            let item = unsafe { Borrowed::from_ptr(sequence.py(), T::item(sequence, index)) };
            test(&item)
        })
    }

    /// Makes a list of what `map`, which must not run Python code, returns for each item. `None` if it returns
    /// `None` for one.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn try_map<'py, T: Sequence>(
        sequence: &Bound<'py, T>,
        mut map: impl FnMut(&Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let (py, len) = (sequence.py(), T::len(sequence));
        // SAFETY: `PyList_New` returns a new reference, or null with an exception set. It may run the collector,
        // and so code that changes the sequence; but no code runs while its items are read. Nobody sees the new
        // list before all of its places are filled, and freeing it passes over those that are not.
        unsafe {
            let new = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(len))?;
            if T::len(sequence) != len {
                return Ok(None);
            }
            for index in 0..len {
                let item = Borrowed::from_ptr(py, T::item(sequence, index));
                match map(&item) {
                    Some(value) => ffi::PyList_SET_ITEM(new.as_ptr(), index, value.into_ptr()),
                    None => return Ok(None),
                }
            }
            Ok(Some(new.cast_into_unchecked()))
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod threads {
    use pyo3::prelude::*;
    use pyo3::types::{PyList, PyTuple};

    /// A class of objects that hold items in a row.
    pub(crate) trait Sequence: Sized {
        /// Returns the items. Other threads may change a list meanwhile.
        fn items<'py>(slf: &Bound<'py, Self>) -> impl Iterator<Item = Bound<'py, PyAny>>;
    }

    impl Sequence for PyList {
        fn items<'py>(slf: &Bound<'py, Self>) -> impl Iterator<Item = Bound<'py, PyAny>> {
            slf.iter()
        }
    }

    impl Sequence for PyTuple {
        fn items<'py>(slf: &Bound<'py, Self>) -> impl Iterator<Item = Bound<'py, PyAny>> {
            slf.iter()
        }
    }

    /// Returns whether `test` is true of all items.
    pub(crate) fn all<'py, T: Sequence>(
        sequence: &Bound<'py, T>,
        mut test: impl FnMut(&Bound<'py, PyAny>) -> bool,
    ) -> bool {
        T::items(sequence).all(|item| test(&item))
    }

    /// Makes a list of what `map` returns for each item. `None` if it returns `None` for one.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    pub(crate) fn try_map<'py, T: Sequence>(
        sequence: &Bound<'py, T>,
        mut map: impl FnMut(&Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let values: Option<Vec<_>> = T::items(sequence).map(|item| map(&item)).collect();
        values.map(|values| PyList::new(sequence.py(), values)).transpose()
    }
}
