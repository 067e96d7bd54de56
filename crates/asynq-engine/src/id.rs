//! Ids of everything that an engine keeps.

use slotmap::new_key_type;

new_key_type! {
    /// A task or promise that has not ended. The id of one that has ended finds nothing.
    pub struct TaskId;

    /// A batch that is not closed. The id of a closed one finds nothing.
    pub struct BatchId;

    /// A context that was entered and not left.
    pub struct ContextId;
}

/// One item of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The batch it belongs to.
    pub batch: BatchId,
    /// Its index in the batch, from 0.
    pub index: u32,
}

/// The number of a frame, from 2; frames are numbered in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FrameId(u64);

impl FrameId {
    /// The frame of a task or batch that no frame needs yet.
    pub(crate) const NONE: Self = Self(0);
    /// The frame of a task that a flush needs, which no frame drives. It starts when an item of the
    /// batch is awaited.
    pub(crate) const FLUSH: Self = Self(1);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a wait, from 1; waits are numbered in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitId(u64);

impl WaitId {
    /// The id before that of the first wait.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the number of waits that began from `first` on until this one began.
    pub(crate) fn distance(self, first: Self) -> usize {
        usize::try_from(self.0 - first.0).unwrap_or(usize::MAX)
    }
}

/// The number of an entry in a list of ready tasks, unique in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    /// The generation before that of the first entry.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
