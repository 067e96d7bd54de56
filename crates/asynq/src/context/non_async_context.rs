//! The context of code that must not wait.

use std::rc::{Rc, Weak};

use asynq_engine::ContextId;

use super::async_context::AsyncContext;
use crate::scheduler;

/// Guard that forbids its task to wait: if the task waits while the guard lives, and anything else
/// has to run meanwhile, the task panics.
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
struct Forbidden(&'static str);

impl AsyncContext for Forbidden {
    fn resume(&self) {}

    fn pause(&self) {
        panic!("a task cannot await while it holds {}; release it first", self.0);
    }

    fn name(&self) -> String {
        self.0.to_owned()
    }
}

impl NonAsyncContext {
    /// Forbids the running task to wait. `what` names the thing that it holds, for the message of
    /// the panic. Outside of tasks, this does nothing.
    pub fn enter(what: &'static str) -> Self {
        let context = Rc::new(Forbidden(what));
        let payload = Rc::downgrade(&context) as Weak<dyn AsyncContext>;
        let id = scheduler::with(|scheduler| {
            if scheduler.engine().running().is_some() {
                scheduler.switch_to_running();
            }
            let id = scheduler.engine().enter_context(payload);
            id.inspect(|&id| scheduler.report_entered(id))
        });
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
