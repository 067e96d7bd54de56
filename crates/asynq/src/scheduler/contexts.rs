//! Contexts: pauses, resumes, and leaving.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Weak;

use asynq_engine::{ContextId, Step};

use super::state::Scheduler;
use crate::context::AsyncContext;
use crate::error::TaskError;

impl Scheduler {
    pub(super) fn pause(&self, context: ContextId) {
        self.switch_context(context, |context| context.pause());
    }

    pub(super) fn resume(&self, context: ContextId) {
        self.switch_context(context, |context| context.resume());
    }

    /// Calls a method of a context. A panic fails the task that has entered the context.
    fn switch_context(&self, id: ContextId, switch: impl FnOnce(&dyn AsyncContext)) {
        // None: its task has dropped it, and has left it by that.
        let Some(context) = self.engine().context(id).and_then(Weak::upgrade) else { return };
        let Err(payload) = catch_unwind(AssertUnwindSafe(move || switch(&*context))) else {
            return;
        };
        let owner = {
            let mut engine = self.engine();
            let owner = engine.fail_context(id);
            owner.and_then(|owner| engine.task(owner).cloned())
        };
        if let Some(owner) = owner {
            owner.fail(TaskError::from_panic(payload, || owner.stack()));
        }
    }

    /// Makes exactly those contexts active that the running task is in.
    pub(crate) fn switch_to_running(&self) {
        loop {
            let step = self.engine().switch();
            self.report_events();
            match step {
                Some(Step::Pause(context)) => self.pause(context),
                Some(Step::Resume(context)) => self.resume(context),
                _ => break,
            }
        }
    }

    /// Pauses the contexts that an abandoned call has left active.
    pub(super) fn pause_abandoned(&self) {
        loop {
            let step = self.engine().next();
            let Step::Pause(context) = step else { break };
            self.pause(context);
        }
    }

    /// Leaves a context. Returns whether it was active.
    pub(crate) fn leave(&self, context: ContextId) -> bool {
        self.report_left(context);
        self.engine().leave_context(context)
    }

    /// Returns the number of pending awaits of the running task.
    pub(crate) fn awaits(&self) -> usize {
        self.polling.awaits()
    }

    /// Leaves a branch of the running task that waits inside `context`. The context is not paused
    /// yet: if the task waits for nothing else, it stays inside.
    pub(crate) fn leave_pending(&self, context: ContextId, awaits_before: usize) {
        self.polling.leave_pending(context, awaits_before);
    }
}
