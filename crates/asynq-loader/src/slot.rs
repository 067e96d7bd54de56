//! The node of a requested key.

use slotmap::SlotMap;

use crate::id::{PartId, SlotId};

pub(crate) type Slots = SlotMap<SlotId, Slot>;

#[derive(Debug)]
pub(crate) struct Slot {
    /// Number of loads that wait for it.
    pub(crate) waiters: u32,
    pub(crate) state: SlotState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// In the queue of its loader.
    Unsent,
    Sent {
        part: PartId,
        /// The key was cleared since: the value is not shared with later loads, and not cached.
        is_cleared: bool,
    },
    /// Its value is cached, and it waits for the keys that are sent in the same step.
    Cached,
}
