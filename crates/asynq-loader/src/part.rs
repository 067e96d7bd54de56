//! The node of a part: one call of the batch function.

use alloc::vec::Vec;

use slotmap::SlotMap;

use crate::id::{PartId, RidersId, SlotId};
use crate::settings::Time;

pub(crate) type Parts = SlotMap<PartId, Part>;

#[derive(Debug)]
pub(crate) enum Part {
    /// Waits for its permits. Its keys are still in the queue.
    Waiting {
        /// Position of the first key for which it was claimed.
        from: u64,
    },
    Sent(SentPart),
}

#[derive(Debug)]
pub(crate) struct SentPart {
    pub(crate) slots: Vec<SlotId>,
    /// Number of slots that have no answer.
    pub(crate) pending: usize,
    /// Number of those that somebody waits for.
    pub(crate) awaited: usize,
    /// Index of the first slot that may time out.
    pub(crate) first_in_time: usize,
    /// Deadlines, each with the index behind the last slot that it holds for.
    pub(crate) deadlines: Vec<(Time, usize)>,
    /// Cached keys that wait for this part.
    pub(crate) riders: Vec<RidersId>,
    /// All keys were cleared since it was sent.
    pub(crate) is_cleared: bool,
    pub(crate) sent_at: Time,
}

impl Part {
    pub(crate) fn sent(&self) -> Option<&SentPart> {
        match self {
            Self::Waiting { .. } => None,
            Self::Sent(part) => Some(part),
        }
    }

    pub(crate) fn sent_mut(&mut self) -> Option<&mut SentPart> {
        match self {
            Self::Waiting { .. } => None,
            Self::Sent(part) => Some(part),
        }
    }
}
