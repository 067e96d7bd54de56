//! Guard against endless recursion through our own code, which the interpreter does not see.

use std::cell::Cell;

use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Depth beyond which nested calls are taken for endless. The interpreter's own count of nested calls
/// allows so many since Python 3.12 that large frames overflow the stack before it is reached.
const MAX_DEPTH: u32 = 500;

/// Runs `function` one level deeper.
///
/// # Errors
///
/// `RecursionError` if that is too deep.
pub(crate) fn guarded<T>(function: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let _level = Level::enter()?;
    function()
}

struct Level;

impl Level {
    fn enter() -> PyResult<Self> {
        let depth = DEPTH.get();
        if depth >= MAX_DEPTH {
            return Err(PyRecursionError::new_err("maximum recursion depth exceeded in asynq"));
        }
        DEPTH.set(depth + 1);
        Ok(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
