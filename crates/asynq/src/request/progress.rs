//! The progress of the loads of a thread.

use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Notes that a load which was waited for has given its value.
#[inline]
pub(crate) fn note() {
    COUNT.set(COUNT.get() + 1);
}

/// Returns the number of loads that have given their values.
#[inline]
pub(crate) fn count() -> u64 {
    COUNT.get()
}
