//! Synchronous calls that block a running event loop.

use std::rc::Rc;

use pyo3::prelude::*;

use crate::asyncio_mode;
use crate::imports;
use crate::scheduler::greenlets;
use crate::scheduler::running::running_loop;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Returns whether the innermost call, which has to wait or to flush a batch, blocks the event loop of this
/// thread, and must not do so without a warning.
pub(crate) fn needs_warning(scheduler: &Scheduler, py: Python<'_>) -> bool {
    !is_nested(scheduler)
        && scheduler.allowed_calls.get() == 0
        && running_loop(py).is_ok_and(|running| running.is_some())
        && asyncio_mode::allows_calls(py).is_ok_and(|allowed| !allowed)
        && (!greenlets::are_loaded() || greenlets::current(py).is_ok_and(|own| own.is_none()))
}

/// Warns that the call of `task` blocks the event loop of this thread.
///
/// # Errors
///
/// The warning, if the user has warnings raised.
pub(crate) fn warn(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let outermost = scheduler.call_stack.outermost_call(py)?;
    let outermost = outermost.as_ref().unwrap_or(task);
    imports::warn_of_blocked_loop(py)?.call1((outermost,)).map(|_| ())
}

/// Returns whether the call is made inside of another one that waits, which was checked.
fn is_nested(scheduler: &Scheduler) -> bool {
    let has_root = scheduler.event_loop().is_some_and(|event_loop| event_loop.root.get().is_some());
    scheduler.engine().depth() > 1 + usize::from(has_root)
}

/// Allows the synchronous calls of a thread to block an event loop, until it is dropped.
pub(crate) struct Allowed(Rc<Scheduler>);

impl Allowed {
    pub(crate) fn begin() -> Self {
        let scheduler = Scheduler::current();
        scheduler.allowed_calls.set(scheduler.allowed_calls.get() + 1);
        Self(scheduler)
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        self.0.allowed_calls.set(self.0.allowed_calls.get() - 1);
    }
}
