//! Contexts: pauses, resumes, and leaving.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Weak;

use asynq_engine::{ContextId, Engine, Step};

use super::payload::Payloads;
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
        self.polling.set_astray(false);
        self.perform_switch(Engine::switch);
    }

    /// Makes exactly those contexts active that the running task is in, if it has gone on in another
    /// branch since.
    #[inline]
    pub(crate) fn switch_to_branch(&self) {
        if self.polling.is_astray() {
            self.switch_to_running();
        }
    }

    /// Makes exactly those contexts active that are around `scope`.
    pub(crate) fn switch_to(&self, scope: Option<ContextId>) {
        self.perform_switch(|engine| engine.switch_to(scope));
    }

    /// Goes from an abandoned call back to the contexts of its caller.
    pub(super) fn switch_to_caller(&self) {
        self.perform_switch(|engine| {
            Some(engine.next()).filter(|step| matches!(step, Step::Pause(_) | Step::Resume(_)))
        });
    }

    fn perform_switch(&self, next: impl Fn(&mut Engine<Payloads>) -> Option<Step>) {
        loop {
            let step = next(&mut self.engine());
            self.report_events();
            match step {
                Some(Step::Pause(context)) => self.pause(context),
                Some(Step::Resume(context)) => self.resume(context),
                _ => break,
            }
        }
    }

    /// Returns the innermost active context.
    pub(crate) fn innermost_context(&self) -> Option<ContextId> {
        self.engine().active_contexts().last().copied()
    }

    /// Enters a context for the running task; `None` if no task runs.
    pub(crate) fn enter_context(&self, context: Weak<dyn AsyncContext>) -> Option<ContextId> {
        self.enter_call();
        let in_flushes = in_flushes(&context);
        let mut engine = self.engine();
        let id = engine.enter_context(context)?;
        if !in_flushes {
            engine.keep_out_of_flushes(id);
        }
        Some(id)
    }

    /// Enters a context for a call by the running task, or by code of no task.
    pub(crate) fn enter_code_context(&self, context: Weak<dyn AsyncContext>) -> ContextId {
        if let Some(id) = self.enter_context(context.clone()) {
            return id;
        }
        let in_flushes = in_flushes(&context);
        let mut engine = self.engine();
        let id = engine.enter_code_context(context);
        if !in_flushes {
            engine.keep_out_of_flushes(id);
        }
        id
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

/// Asks a context that is being entered. Code of the user, so nothing is borrowed.
fn in_flushes(context: &Weak<dyn AsyncContext>) -> bool {
    context.upgrade().is_none_or(|context| context.in_flushes())
}
