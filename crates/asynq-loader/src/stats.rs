//! Statistics of a loader.

use crate::settings::Time;

/// Counts since the loader was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Number of parts that were sent, whatever became of them.
    pub batches: usize,
    /// Number of keys in these parts.
    pub keys: usize,
    /// Number of keys in the largest part.
    pub largest: usize,
    /// Number of loads of keys that were cached, or pending already.
    pub hits: usize,
    /// Total time from the calls of the batch function until it returned or was late, without waits
    /// for permits, hooks and threads. Parts that overlap are counted in full.
    pub time: Time,
}

impl Stats {
    pub(crate) fn count_part(&mut self, keys: usize) {
        self.batches += 1;
        self.keys += keys;
        self.largest = self.largest.max(keys);
    }
}
