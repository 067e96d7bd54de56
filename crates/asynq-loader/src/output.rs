//! Outputs of a loader.

use crate::id::{PartId, SlotId};

/// An action that a [`Loader`](crate::Loader) asks of its face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// Get the permits of this part, then call [`Loader::permit`](crate::Loader::permit). A face
    /// without limits calls it at once.
    Claim(PartId),
    /// The part has ended, because nobody waits for it any more or all of its keys are late: cancel
    /// the function if it was called, and release the permits or withdraw the claim.
    Cancel(PartId),
    /// Give this slot its cached value. The slot has ended.
    Resolve(SlotId),
    /// Forget this slot, which nobody waits for any more. The slot has ended.
    Forget(SlotId),
    /// Fail this slot, which has no answer in time. The slot has ended.
    Late(SlotId),
}
