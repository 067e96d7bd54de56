//! Pauses and resumes of contexts.

use asynq_engine::{ContextId, Step, TaskId};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::context::NonAsyncContext;
use crate::ffi::gil_cell::TakeState;
use crate::scheduler::job::Job;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::PendingError;

/// Pauses and resumes what is necessary for the contexts from `scope` outwards to be active. Returns
/// whether there was anything to do, which runs code of the user.
///
/// # Errors
///
/// The first error of a context whose task has ended.
pub(crate) fn switch_to(
    scheduler: &Scheduler,
    py: Python<'_>,
    scope: Option<ContextId>,
) -> PyResult<bool> {
    let mut result = Ok(());
    let mut any = false;
    loop {
        let step = scheduler.engine().switch_to(scope);
        let (id, method) = match step {
            Some(Step::Pause(id)) => (id, intern!(py, "pause")),
            Some(Step::Resume(id)) => (id, intern!(py, "resume")),
            _ => return result.map(|()| any),
        };
        any = true;
        let context = scheduler.context(py, id);
        if context.is_some_and(|(context, _)| context.is_instance_of::<NonAsyncContext>()) {
            continue; // Its task does not wait.
        }
        result = result.and(switch(scheduler, py, id, method));
    }
}

/// Pauses or resumes a context. If that fails, so does the task that has entered it.
pub(crate) fn switch(
    scheduler: &Scheduler,
    py: Python<'_>,
    id: ContextId,
    method: &Bound<'_, PyString>,
) -> PyResult<()> {
    let Some((context, task)) = scheduler.context(py, id) else { return Ok(()) };
    if context.is_instance_of::<NonAsyncContext>() && scheduler.engine().is_in_call(id) {
        // The call pauses it for a task of somebody else. Its own task does not wait.
        return Ok(());
    }
    let place = scheduler.variables.enter_for_context(&task);
    let switched = context.call_method0(method);
    scheduler.variables.leave(&task, place);
    let Err(error) = switched else { return Ok(()) };
    let owner = scheduler.engine().fail_context(id);
    let Some(owner) = owner else { return Err(error) };
    set_pending_error(scheduler, py, owner, PendingError::Fail(error));
    Ok(())
}

/// Decides how a task is to fail when it runs next.
pub(crate) fn set_pending_error(
    scheduler: &Scheduler,
    py: Python<'_>,
    id: TaskId,
    pending_error: PendingError,
) {
    let task = match scheduler.job(py, id) {
        Some(Job::Task(task)) => task.into_bound(py),
        _ => return,
    };
    let mut task = task.state();
    let rare = task.rare();
    if rare.pending_error.is_none() {
        rare.pending_error = Some(pending_error);
    }
}
