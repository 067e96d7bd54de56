//! The error that a thread is raising, while a destructor runs code of users.

use pyo3::ffi;
use pyo3::prelude::*;

/// Sets the raised error aside, if there is one, until this is dropped.
pub(crate) struct RaisedError<'py> {
    #[cfg(Py_3_12)]
    error: *mut ffi::PyObject,
    #[cfg(not(Py_3_12))]
    error: [*mut ffi::PyObject; 3],
    _py: Python<'py>,
}

impl<'py> RaisedError<'py> {
    #[allow(unsafe_code)]
    pub(crate) fn set_aside(py: Python<'py>) -> Self {
        // SAFETY: the thread holds the GIL. The references are given back when this is dropped.
        #[cfg(Py_3_12)]
        let error = unsafe { ffi::PyErr_GetRaisedException() };
        #[cfg(not(Py_3_12))]
        let error = {
            let [mut class, mut value, mut traceback] = [std::ptr::null_mut(); 3];
            // SAFETY: as above.
            unsafe { ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback) };
            [class, value, traceback]
        };
        Self { error, _py: py }
    }

    /// Returns whether there is one that is not the end of a generator.
    #[allow(unsafe_code)]
    pub(crate) fn is_some(&self) -> bool {
        #[cfg(Py_3_12)]
        let error = self.error;
        #[cfg(not(Py_3_12))]
        let error = self.error[0];
        // SAFETY: an exception, or the class of one, that this holds.
        !error.is_null()
            && unsafe { ffi::PyErr_GivenExceptionMatches(error, ffi::PyExc_StopIteration) == 0 }
    }
}

impl Drop for RaisedError<'_> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the thread holds the GIL; the references are owned, and nobody uses them afterwards.
        #[cfg(Py_3_12)]
        unsafe {
            ffi::PyErr_SetRaisedException(self.error);
        }
        // SAFETY: as above.
        #[cfg(not(Py_3_12))]
        unsafe {
            let [class, value, traceback] = self.error;
            ffi::PyErr_Restore(class, value, traceback);
        }
    }
}
