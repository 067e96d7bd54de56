//! Checks of the interpreter.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Refuses to be imported in a sub-interpreter.
///
/// # Errors
///
/// `ImportError` in any interpreter but the main one: `pyo3` keeps classes and imported objects in
/// statics, which all interpreters of a process would share.
#[allow(unsafe_code)]
pub(crate) fn require_main(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: the thread holds the GIL of an interpreter; the pointers are only compared.
    let is_main = unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() };
    if is_main {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "asynq cannot be imported in a sub-interpreter: import it in the main interpreter, or run \
         this code in a process of its own",
    ))
}

/// Runs `function` with this thread known to `pyo3` as one that holds the GIL, as it does. Otherwise
/// references without a token would be given up later.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn attached<R>(_py: Python<'_>, function: impl FnOnce() -> R) -> R {
    // SAFETY: the token proves that there is an interpreter, whose GIL this thread holds.
    unsafe { Python::attach_unchecked(|_py| function()) }
}

/// Returns whether there is an interpreter: not after the end of the program.
#[allow(unsafe_code)]
pub(crate) fn is_running() -> bool {
    // SAFETY: reads a flag of the process; needs no GIL.
    unsafe { ffi::Py_IsInitialized() != 0 }
}
