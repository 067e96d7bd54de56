//! How tasks stand, for those who look.

use crate::batch::BatchId;
use crate::engine::Engine;
use crate::host::Host;
use crate::task::{State, TaskId};

/// What a task is doing, see [`Engine::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: nobody has asked for it yet.
    Unasked,
    /// It can run, and others go first.
    Ready,
    /// It runs, or is suspended in a synchronous call of its own.
    Running,
    /// It waits for its [dependencies](Engine::dependencies), or for a wake-up.
    Blocked,
    /// It is not for the engine to run.
    Promise,
}

/// # 7. Look
impl<H: Host> Engine<H> {
    /// What a task is doing; `None` after it has ended.
    #[must_use]
    pub fn standing(&self, task: TaskId) -> Option<Standing> {
        Some(match self.tasks.get(task)?.state {
            State::New => Standing::Unasked,
            State::Ready(_) | State::Woken { .. } => Standing::Ready,
            State::Running { .. } => Standing::Running,
            State::Blocked(_) => Standing::Blocked,
            State::Promise => Standing::Promise,
        })
    }

    /// The tasks that were called, the outermost call first.
    pub fn called(&self) -> impl Iterator<Item = TaskId> {
        self.frames.roots()
    }

    /// All tasks and promises that have not ended, in no particular order.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.keys()
    }

    /// All batches that are not closed, in no particular order.
    pub fn batch_ids(&self) -> impl Iterator<Item = BatchId> {
        self.batches.keys()
    }

    /// How many items a batch has, those that are computed included; 0 after it was closed.
    #[must_use]
    pub fn item_count(&self, batch: BatchId) -> usize {
        self.batches.get(batch).map_or(0, |batch| batch.items.len())
    }
}
