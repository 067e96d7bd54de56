//! Ids of everything that a loader and its permits keep.

use slotmap::new_key_type;

new_key_type! {
    /// A requested key, from its load until it has a value or error, or nobody waits for it. The id
    /// of one that has ended finds nothing.
    pub struct SlotId;

    /// A call of the batch function, from its claim of permits until it has ended. The id of one
    /// that has ended finds nothing.
    pub struct PartId;

    /// A number of permits.
    pub struct LimitId;

    /// The claim of a part to permits, until they are released.
    pub struct ClaimId;

    pub(crate) struct RidersId;
}
