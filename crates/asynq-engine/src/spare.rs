//! Capacity that empty lists keep.

/// Number of entries that an empty list keeps room for; the rest is given back.
pub(crate) const SPARE_CAPACITY: usize = 1 << 16;
