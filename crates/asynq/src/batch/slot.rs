//! The places of a batch for the values of its items.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::error::Failure;

/// Place for the value of an item.
pub(super) enum Slot<V> {
    Pending,
    Value(V),
    Failed(Failure),
    Taken,
    /// The item has the value of another.
    Duplicate {
        of: u32,
        /// The duplicate before it of the same item, or this one if there is none.
        previous: u32,
    },
}

impl<V> Slot<V> {
    pub(super) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}

/// Callback for each item that gets its value or error, with its index.
#[cfg(feature = "explain")]
pub(super) type Answered<V> = Box<dyn Fn(u32, &Slot<V>)>;

/// Clones the value of an item.
pub(super) type CloneValue<V> = fn(&V) -> V;

/// Returns a clone of a slot, or the panic of that. Nothing must be borrowed, since it is code of users.
pub(super) fn clone_slot<V>(slot: &Slot<V>, clone_value: CloneValue<V>) -> thread::Result<Slot<V>> {
    catch_unwind(AssertUnwindSafe(|| match slot {
        Slot::Value(value) => Slot::Value(clone_value(value)),
        Slot::Failed(failure) => Slot::Failed(failure.clone()),
        Slot::Pending => Slot::Pending,
        Slot::Taken | Slot::Duplicate { .. } => Slot::Taken,
    }))
}

/// Returns whether the item at `index` has neither value nor error.
pub(super) fn is_pending<V>(slots: &[Slot<V>], index: u32) -> bool {
    match &slots[index as usize] {
        Slot::Duplicate { of, .. } => slots[*of as usize].is_pending(),
        slot => slot.is_pending(),
    }
}
