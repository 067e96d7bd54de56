//! Entering and leaving contexts.

use crate::engine::Engine;
use crate::host::Host;
use crate::id::{ContextId, TaskId};

/// # 4. Answer `Step::Run`: contexts
impl<H: Host> Engine<H> {
    /// Enters a context, for the task that runs now, inside those that it has entered before. The
    /// front end resumes it. `None`, and the payload dropped, if no task runs: such a context needs
    /// no scheduling.
    pub fn enter_context(&mut self, payload: H::Context) -> Option<ContextId> {
        let task = self.running()?;
        let node = self.tasks.get_mut(task)?;
        let context = self.contexts.enter(payload, task, node.scope);
        node.scope = Some(context);
        Some(context)
    }

    /// Enters a context for code of no task, in a flush or outside of calls, inside those that are
    /// active. The front end resumes it. It is also on the chain of each task that this code calls
    /// and that was not awaited before.
    ///
    /// If it cannot be paused or resumed, [`fail_context`](Self::fail_context) leaves it, and the
    /// front end reports the error to that code.
    pub fn enter_code_context(&mut self, payload: H::Context) -> ContextId {
        self.contexts.enter_code(payload)
    }

    /// Keeps a context out of flushes, such as a clock that must stand still meanwhile: before a flush
    /// it is paused together with the contexts inside it, even if they are common to everybody who
    /// waits. To be called before a context is entered inside it.
    pub fn keep_out_of_flushes(&mut self, context: ContextId) {
        self.contexts.keep_out_of_flushes(context);
    }

    /// Leaves a context, for its task or from elsewhere, in any order. Returns whether it was
    /// active, so that the front end has to pause it. May still be called after the task has ended,
    /// which leaves its contexts as well but cannot tell which were active.
    pub fn leave_context(&mut self, context: ContextId) -> bool {
        if let Some(owner) = self.contexts.owner(context)
            && let Some(node) = self.tasks.get_mut(owner)
            && node.scope == Some(context)
        {
            node.scope = self.contexts.parent(context);
            self.contexts.retain(node.scope);
            self.contexts.release(context);
        }
        self.contexts.leave_while_flushing(context);
        self.contexts.leave(context)
    }

    /// Leaves a context that could not be paused or resumed, and
    /// [interrupts](Self::interrupt) the task that entered it. Returns that task: it fails when it
    /// runs next. (The id of a context of code of no task finds no task.)
    pub fn fail_context(&mut self, context: ContextId) -> Option<TaskId> {
        let owner = self.contexts.owner(context)?;
        self.leave_context(context);
        self.interrupt(owner);
        Some(owner)
    }

    /// Returns the context in which the running task is: the innermost it has entered, or has
    /// inherited.
    #[must_use]
    pub fn scope(&self) -> Option<ContextId> {
        self.tasks.get(self.running()?)?.scope
    }

    /// Returns whether the running task is in `context`, which it has entered, or in one inside
    /// that.
    pub fn is_inside(&self, context: ContextId) -> bool {
        self.running().is_some_and(|task| {
            self.contexts.entered_by(task, self.scope()).any(|entered| entered == context)
        })
    }

    /// Moves the running task to another context that it has entered, or back to the one it has
    /// inherited, without leaving any. A front end whose tasks have branches with contexts of
    /// their own calls this when it goes from one branch to another; [`switch`](Self::switch) then
    /// returns the pauses and resumes that this takes.
    pub fn set_scope(&mut self, scope: Option<ContextId>) {
        let scope = scope.filter(|&context| self.contexts.payload(context).is_some());
        let Some(node) = self.running().and_then(|task| self.tasks.get_mut(task)) else {
            return;
        };
        self.contexts.replace(&mut node.scope, scope);
    }
}
