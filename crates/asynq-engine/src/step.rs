//! The steps of a driver.

use alloc::boxed::Box;

use crate::deadlock::Deadlock;
use crate::id::{BatchId, ContextId, TaskId};

/// The answer of [`Engine::next`](crate::Engine::next): the driver's next action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Pause this context. If that fails, call
    /// [`Engine::fail_context`](crate::Engine::fail_context).
    Pause(ContextId),
    /// Resume this context. If that fails, call
    /// [`Engine::fail_context`](crate::Engine::fail_context).
    Resume(ContextId),
    /// Run this task until it ends or has to wait: tell the engine its dependencies
    /// ([`Engine::depend`](crate::Engine::depend)), then answer with
    /// [`Engine::block`](crate::Engine::block) or [`Engine::complete`](crate::Engine::complete).
    Run(TaskId),
    /// Give this batch its priority, by
    /// [`Engine::set_priority`](crate::Engine::set_priority).
    Priority(BatchId),
    /// Flush this batch, then answer with [`Engine::close`](crate::Engine::close), or with
    /// [`Engine::defer`](crate::Engine::defer) if its values come later.
    Flush(BatchId),
    /// Nothing can be done before something happens outside: wait for a flush that is in flight
    /// or a wake-up, tell the engine of it, and go on.
    Wait,
    /// The called task has ended: call [`Engine::exit`](crate::Engine::exit).
    Done,
    /// Nothing can be done, and nothing will happen. The tasks in
    /// [`Deadlock::victims`] run next: the front end makes each fail with this report. If there
    /// are none, the call itself fails: [abandon](crate::Engine::abandon) it.
    Deadlock(Box<Deadlock>),
}
