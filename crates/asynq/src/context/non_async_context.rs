//! The context of code that must not wait.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use asynq_engine::ContextId;

use super::async_context::AsyncContext;
use crate::scheduler;

/// Guard that forbids its task to wait: if the task waits while the guard lives, and anything else
/// has to run meanwhile, the task panics. Synchronous calls are allowed.
///
/// Use it for what must not stay open across an `await`: a lock, a transaction, a borrowed buffer.
///
/// ```
/// use asynq::{AsyncTask, NonAsyncContext};
///
/// let task = AsyncTask::new(async {
///     let _lock = NonAsyncContext::enter("the row lock");
///     asynq::debug::sync().await;
/// });
/// assert!(task.outcome().unwrap_err().message().contains("the row lock"));
/// ```
#[derive(Debug)]
#[must_use = "the task may wait again when the guard is dropped"]
pub struct NonAsyncContext {
    id: Option<ContextId>,
    /// The scheduler has only a weak reference.
    _context: Rc<Forbidden>,
}

#[derive(Debug)]
struct Forbidden {
    what: &'static str,
    id: Cell<Option<ContextId>>,
}

impl AsyncContext for Forbidden {
    fn resume(&self) {}

    fn pause(&self) {
        // A synchronous call pauses it for a task of somebody else. Its own task does not wait.
        let is_in_call = |id| scheduler::with(|scheduler| scheduler.engine().is_in_call(id));
        assert!(
            self.id.get().is_some_and(is_in_call),
            "a task cannot await while it holds {}; release it first",
            self.what
        );
    }

    fn in_flushes(&self) -> bool {
        false // Its task waits for the flush.
    }

    fn name(&self) -> String {
        self.what.to_owned()
    }
}

impl NonAsyncContext {
    /// Forbids the running task to wait. `what` names the thing that it holds, for the message of
    /// the panic. Outside of tasks, this does nothing.
    pub fn enter(what: &'static str) -> Self {
        let context = Rc::new(Forbidden { what, id: Cell::new(None) });
        let payload = Rc::downgrade(&context) as Weak<dyn AsyncContext>;
        let id = scheduler::with(|scheduler| {
            scheduler.enter_call();
            if scheduler.engine().running().is_some() {
                scheduler.switch_to_running();
            }
            let id = scheduler.enter_context(payload);
            id.inspect(|&id| scheduler.report_entered(id))
        });
        context.id.set(id);
        Self { id, _context: context }
    }
}

impl Drop for NonAsyncContext {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            scheduler::try_with(|scheduler| scheduler.leave(id));
        }
    }
}
