//! The items of lists, read without counting references to them.

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Returns whether `test`, which must not run Python code, is true of all items.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn all<'py>(
    list: &Bound<'py, PyList>,
    mut test: impl FnMut(&Bound<'py, PyAny>) -> bool,
) -> bool {
    // SAFETY: the list holds its items, and nobody changes it meanwhile, since no other code runs.
    unsafe {
        let len = ffi::PyList_GET_SIZE(list.as_ptr());
        (0..len).all(|index| {
            test(&Borrowed::from_ptr(list.py(), ffi::PyList_GET_ITEM(list.as_ptr(), index)))
        })
    }
}

/// Makes a list of what `map`, which must not run Python code, returns for each item. `None` if it returns
/// `None` for one.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn try_map<'py>(
    list: &Bound<'py, PyList>,
    mut map: impl FnMut(&Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let py = list.py();
    // SAFETY: `PyList_New` returns a new reference, or null with an exception set. It may run the collector,
    // and so code that changes the list; but no code runs while its items are read. Nobody sees the new
    // list before all of its places are filled, and freeing it passes over those that are not.
    unsafe {
        let len = ffi::PyList_GET_SIZE(list.as_ptr());
        let new = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(len))?;
        if ffi::PyList_GET_SIZE(list.as_ptr()) != len {
            return Ok(None);
        }
        for index in 0..len {
            let item = Borrowed::from_ptr(py, ffi::PyList_GET_ITEM(list.as_ptr(), index));
            match map(&item) {
                Some(value) => ffi::PyList_SET_ITEM(new.as_ptr(), index, value.into_ptr()),
                None => return Ok(None),
            }
        }
        Ok(Some(new.cast_into_unchecked()))
    }
}
