//! Handles to an item besides its own.

/// Handles to an item besides its own.
#[derive(Clone, Copy, Default)]
pub(super) struct Sharing {
    /// Number of further handles that take a clone of the value, also by duplicates.
    pub(super) handles: u32,
    /// Number of duplicates that have not taken their clone.
    pub(super) duplicates: u32,
    pub(super) last_duplicate: Option<u32>,
}

/// Returns the handles to the item at `index` besides its own.
pub(super) fn sharing_of(index: u32, sharing: &mut Vec<Sharing>) -> &mut Sharing {
    let index = index as usize;
    if sharing.len() <= index {
        sharing.resize(index + 1, Sharing::default());
    }
    &mut sharing[index]
}
