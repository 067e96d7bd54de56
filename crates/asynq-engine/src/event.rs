//! Events: the engine's own record of its steps, for debuggers, profiles and tests.

use alloc::vec::Vec;

use crate::dependency::Dependency;
use crate::id::{BatchId, ContextId, TaskId};

/// One step of the engine, recorded only while [`Engine::listen`](crate::Engine::listen) is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task or promise was added.
    Created(TaskId),
    /// A task runs for the first time.
    Started(TaskId),
    /// A task waits.
    Blocked {
        /// The task that waits.
        task: TaskId,
        /// The things it waits for, in the order given.
        on: Vec<Dependency>,
    },
    /// A task no longer waits.
    Woken(TaskId),
    /// A task runs again.
    Continued(TaskId),
    /// A task has ended, or a promise was completed.
    Finished(TaskId),
    /// A context was paused, because something outside it runs next.
    Paused(ContextId),
    /// A context was resumed, because something inside it runs next.
    Resumed(ContextId),
    /// The flush of a batch begins.
    FlushBegan {
        /// The batch that is flushed.
        batch: BatchId,
        /// Number of its items.
        items: usize,
    },
    /// The flush was sent; the values come later.
    FlushDeferred(BatchId),
    /// Every item of the batch has its value or error.
    FlushEnded(BatchId),
    /// A synchronous call began.
    Entered {
        /// The task that was called.
        root: TaskId,
        /// Number of calls in progress, this one included.
        depth: usize,
    },
    /// A synchronous call ended.
    Exited {
        /// Number of calls still in progress.
        depth: usize,
    },
    /// Nothing could be done before something happens outside.
    Waited,
    /// These tasks could never have run again. There is at least one.
    Deadlocked(Vec<TaskId>),
}
