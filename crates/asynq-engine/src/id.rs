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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

/// The number of a wait, or of an entry in a list of ready tasks, from 1: unique in its engine, and the
/// greater the later. With the highest bit, a mark in the place of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// The stamp before the first.
    pub(crate) const NONE: Self = Self(0);
    const MARK: u64 = 1 << 63;

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the mark of a number.
    pub(crate) const fn mark(number: u32) -> Self {
        Self(Self::MARK | number as u64)
    }

    /// Returns the number of a mark.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the number")]
    pub(crate) fn as_mark(self) -> Option<u32> {
        (self.0 & Self::MARK != 0).then_some(self.0 as u32)
    }

    /// Returns the number of stamps from `first` until this one.
    pub(crate) fn distance(self, first: Self) -> usize {
        usize::try_from(self.0 - first.0).unwrap_or(usize::MAX)
    }
}
