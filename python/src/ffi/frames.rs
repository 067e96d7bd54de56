//! Frames: the places in the code where functions run or wait.

use pyo3::ffi::{self, PyFrameObject, PyObject};
use pyo3::intern;
use pyo3::prelude::*;

/// A frame of a function that runs, or of a generator or coroutine that waits.
pub(crate) struct Frame<'py>(Bound<'py, PyAny>);

impl<'py> Frame<'py> {
    /// Returns the frame of the Python code that has called us; `None` if there is none.
    #[allow(unsafe_code)]
    pub(crate) fn current(py: Python<'py>) -> Option<Self> {
        // SAFETY: the frame that runs, which stays alive as long as we hold it, or null.
        let frame = unsafe {
            Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast::<PyObject>())
        };
        frame.map(Self)
    }

    /// Returns the frame of a generator or coroutine; `None` if it has ended, or is another object.
    pub(crate) fn of_generator(generator: &Bound<'py, PyAny>) -> Option<Self> {
        let py = generator.py();
        let frame = generator
            .getattr_opt(intern!(py, "gi_frame"))
            .ok()
            .flatten()
            .or_else(|| generator.getattr_opt(intern!(py, "cr_frame")).ok().flatten())?;
        // SAFETY: only the class is compared.
        #[allow(unsafe_code)]
        let is_frame = unsafe { ffi::PyFrame_Check(frame.as_ptr()) } != 0;
        is_frame.then_some(Self(frame))
    }

    fn as_ptr(&self) -> *mut PyFrameObject {
        self.0.as_ptr().cast()
    }

    /// Returns the frame that has called it.
    #[allow(unsafe_code)]
    pub(crate) fn back(&self) -> Option<Self> {
        // SAFETY: a live frame; the result is a new reference, or null without an exception.
        let back = unsafe {
            let back = ffi::PyFrame_GetBack(self.as_ptr()).cast::<PyObject>();
            Bound::from_owned_ptr_or_opt(self.0.py(), back)
        };
        back.map(Self)
    }

    /// Returns the code object.
    #[allow(unsafe_code)]
    pub(crate) fn code(&self) -> Bound<'py, PyAny> {
        // SAFETY: a live frame, which always has code; the result is a new reference.
        unsafe {
            let code = ffi::PyFrame_GetCode(self.as_ptr()).cast::<PyObject>();
            Bound::from_owned_ptr(self.0.py(), code)
        }
    }

    /// Returns a number that is the same whenever this code is at the same place.
    #[allow(unsafe_code)]
    pub(crate) fn position(&self) -> i32 {
        // SAFETY: a live frame.
        #[cfg(Py_3_11)]
        return unsafe { ffi::PyFrame_GetLasti(self.as_ptr()) };
        #[cfg(not(Py_3_11))]
        unsafe {
            ffi::PyFrame_GetLineNumber(self.as_ptr())
        }
    }

    /// Returns the line at which it is.
    #[allow(unsafe_code)]
    pub(crate) fn line(&self) -> u32 {
        // SAFETY: a live frame.
        let line = unsafe { ffi::PyFrame_GetLineNumber(self.as_ptr()) };
        u32::try_from(line).unwrap_or(0)
    }
}

/// Returns the code object of a Python function; `None` if it is another object.
#[allow(unsafe_code)]
pub(crate) fn code_of<'py>(function: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: a live object; the code is only asked of a function, which holds it.
    unsafe {
        if ffi::PyFunction_Check(function.as_ptr()) == 0 {
            return None;
        }
        let code = ffi::PyFunction_GetCode(function.as_ptr());
        Bound::from_borrowed_ptr_or_opt(function.py(), code)
    }
}

/// Returns the code object of a generator or coroutine; `None` if it is another object.
pub(crate) fn code_of_generator<'py>(generator: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = generator.py();
    let code = |name| generator.getattr_opt(name).ok().flatten();
    code(intern!(py, "gi_code")).or_else(|| code(intern!(py, "cr_code")))
}
