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

/// Refuses to be imported where the GIL is switched off.
///
/// A free-threaded interpreter enables its GIL before this code runs, because the module declares `gil_used`,
/// unless `PYTHON_GIL=0` or `-X gil=0` forbids that.
///
/// # Errors
///
/// `ImportError` if there is no GIL. For the work on that, a build with the variable `ASYNQ_WITHOUT_GIL` does
/// without.
#[cfg(Py_GIL_DISABLED)]
pub(crate) fn require_gil(py: Python<'_>) -> PyResult<()> {
    let is_enabled = py.import("sys")?.getattr("_is_gil_enabled")?.call0()?.is_truthy()?;
    if is_enabled || option_env!("ASYNQ_WITHOUT_GIL").is_some() {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "asynq needs the GIL, which PYTHON_GIL=0 or -X gil=0 switches off: without that setting, the \
         interpreter enables the GIL when it imports asynq",
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
