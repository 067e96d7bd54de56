//! Ids of what a loader keeps.

use std::num::NonZero;

use slotmap::new_key_type;

new_key_type! {
    /// Id of a requested key. That of one that has ended finds nothing.
    pub(super) struct EntryId;
}

/// Number of a loader in the scheduler of one thread.
pub(super) type HostId = NonZero<u32>;
