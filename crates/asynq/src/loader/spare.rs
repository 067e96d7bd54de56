//! Room that idle tables keep.

/// Number of keys for which an idle table keeps room, however few keys it has had.
const SPARE_CAPACITY: usize = 1 << 10;

/// Returns whether a table has much more room than it needed for so many keys.
pub(super) fn is_too_large(capacity: usize, keys: usize) -> bool {
    capacity > SPARE_CAPACITY.max(4 * keys)
}
