//! What a driver has to do next.

use alloc::boxed::Box;

use crate::batch::BatchId;
use crate::context::ContextId;
use crate::deadlock::Deadlock;
use crate::task::TaskId;

/// The answer of [`Engine::next`](crate::Engine::next).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Pause this context. If that fails, call
    /// [`Engine::fail_context`](crate::Engine::fail_context).
    Pause(ContextId),
    /// Resume this context. If that fails, call
    /// [`Engine::fail_context`](crate::Engine::fail_context).
    Resume(ContextId),
    /// Run this task until it ends or has to wait: tell the engine what it asks for
    /// ([`Engine::depend`](crate::Engine::depend)), then answer with
    /// [`Engine::block`](crate::Engine::block) or [`Engine::complete`](crate::Engine::complete).
    Run(TaskId),
    /// Say how urgent this batch is, by [`Engine::rank`](crate::Engine::rank).
    Rank(BatchId),
    /// Flush this batch, then answer with [`Engine::close`](crate::Engine::close), or with
    /// [`Engine::defer`](crate::Engine::defer) if its values come later.
    Flush(BatchId),
    /// Nothing can be done before something happens outside: wait for a flush that is in flight
    /// or a wake-up, tell the engine of it, and go on.
    Wait,
    /// The called task has ended: call [`Engine::exit`](crate::Engine::exit).
    Done,
    /// Nothing can be done, and nothing will happen. The tasks in
    /// [`Deadlock::victims`] run next: each is to fail with this report. If there are none, it is
    /// the call that fails: [abandon](crate::Engine::abandon) it.
    Deadlock(Box<Deadlock>),
}
