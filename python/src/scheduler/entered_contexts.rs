//! Contexts that tasks of a scheduler have entered.

use asynq_engine::ContextId;
use pyo3::intern;
use pyo3::prelude::*;

use crate::scheduler::state::{EnteredContext, Scheduler};
use crate::task::async_task::{AsyncTask, Entered};

impl Scheduler {
    /// Enters a context in the running task. Returns `None` if no task runs.
    pub(crate) fn enter_context(
        &self,
        context: &Bound<'_, PyAny>,
        task: &Bound<'_, AsyncTask>,
    ) -> Option<ContextId> {
        let in_flushes = in_flushes(context);
        let id = {
            let mut engine = self.engine();
            let id = engine.enter_context(())?;
            if !in_flushes {
                engine.keep_out_of_flushes(id);
            }
            id
        };
        let entered =
            EnteredContext { context: context.clone().unbind(), task: task.clone().unbind() };
        self.contexts.borrow_mut().insert(id, entered);
        Some(id)
    }

    /// Leaves a context that was entered in this thread.
    pub(crate) fn leave_context(py: Python<'_>, entered: &Entered) {
        let Some(scheduler) = Self::at(entered.scheduler_id) else { return };
        let _ = scheduler.engine().leave_context(entered.id);
        let context = scheduler.contexts.borrow_mut().remove(entered.id);
        if let Some(context) = context {
            context.release(py);
        }
    }

    /// Returns a context, and the task that has entered it.
    pub(crate) fn context<'py>(
        &self,
        py: Python<'py>,
        id: ContextId,
    ) -> Option<(Bound<'py, PyAny>, Bound<'py, AsyncTask>)> {
        let contexts = self.contexts.borrow();
        let entered = contexts.get(id)?;
        Some((entered.context.bind(py).clone(), entered.task.bind(py).clone()))
    }

    /// Forgets the contexts of a task that has ended.
    pub(crate) fn forget_contexts(entered: &[Entered]) {
        for entered in entered {
            let Some(scheduler) = Self::at(entered.scheduler_id) else { continue };
            let context = scheduler.contexts.borrow_mut().remove(entered.id);
            drop(context);
        }
    }
}

/// Returns whether a context may be active during a flush of a loader.
fn in_flushes(context: &Bound<'_, PyAny>) -> bool {
    let in_flushes = context.getattr_opt(intern!(context.py(), "in_flushes"));
    // None of a class that hides it, an error of one that raises.
    in_flushes.is_ok_and(|value| value.is_none_or(|value| value.is_truthy().unwrap_or(false)))
}
