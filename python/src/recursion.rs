//! Guard against endless recursion through our own code, which the interpreter does not see.

use std::rc::Rc;

use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;

use crate::scheduler::state::Scheduler;

/// Depth beyond which nested calls are taken for endless. The interpreter's own count of nested calls
/// allows so many since Python 3.12 that large frames overflow the stack before it is reached.
const MAX_DEPTH: u32 = 500;

/// Runs `function` one level deeper on the call stack of this thread or greenlet.
///
/// # Errors
///
/// `RecursionError` if that is too deep.
pub(crate) fn guarded<T>(function: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let _level = Level::enter()?;
    function()
}

/// A level of a call stack. Another greenlet may run before it is dropped.
struct Level(Rc<Scheduler>);

impl Level {
    fn enter() -> PyResult<Self> {
        let scheduler = Scheduler::current();
        let depth = scheduler.depth.get();
        if depth >= MAX_DEPTH {
            return Err(PyRecursionError::new_err("maximum recursion depth exceeded in asynq"));
        }
        scheduler.depth.set(depth + 1);
        Ok(Self(scheduler))
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}
