//! Recording of synchronous calls, for `asynq.explain()`.

use pyo3::prelude::*;

use crate::explain::hooks;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Records that a task is about to be called synchronously, or runs as such a call.
#[cold]
pub(crate) fn calls(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) {
    let py = task.py();
    AsyncTask::record_late(task, scheduler.id());
    let caller = match scheduler.call_stack.task(py).ok().flatten() {
        Some(running) if running.is(task) => AsyncTask::creator(task),
        caller => caller,
    };
    let caller = caller.map(|caller| AsyncTask::recorded(&caller));
    let depth = scheduler.unsettled_engine().depth() + 1;
    hooks::calls(py, AsyncTask::recorded(task), caller, scheduler.id(), depth);
}
