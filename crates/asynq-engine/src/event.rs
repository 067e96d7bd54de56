//! What happened: the engine's own record of its steps, for debuggers, profiles and tests.

use alloc::vec::Vec;

use crate::batch::BatchId;
use crate::context::ContextId;
use crate::dependency::Dependency;
use crate::task::TaskId;

/// One step of the engine. Recorded only while someone listens, see
/// [`Engine::listen`](crate::Engine::listen).
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
        /// What it waits for, in the order given.
        on: Vec<Dependency>,
    },
    /// What a task waited for is there.
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
        /// How many items it has.
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
        /// How many calls are under way, this one included.
        depth: usize,
    },
    /// A synchronous call ended.
    Exited {
        /// How many calls are still under way.
        depth: usize,
    },
    /// Nothing could be done before something happens outside.
    Waited,
    /// These tasks could never have run again.
    Deadlocked(Vec<TaskId>),
}
