//! Statistics of loaders.

use std::time::Duration;

/// Counts since a loader was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of batches that were sent.
    pub batches: usize,
    /// Number of keys in these batches.
    pub keys: usize,
    /// Number of loads of keys that were cached, or pending already.
    pub hits: usize,
    /// Number of keys in the largest batch.
    pub largest: usize,
    /// Total time of the calls of the batch function, without hooks and waits for permits and threads. Calls that
    /// overlap are counted in full.
    pub time: Duration,
}

/// A completed batch, for [`after_flush`](super::Loader::after_flush).
#[derive(Debug)]
#[non_exhaustive]
pub struct Flushed<'a, K> {
    /// Keys of the batch.
    pub keys: &'a [&'a K],
    /// Duration of the call of the batch function, without hooks and waits for permits and threads.
    pub time: Duration,
    /// Error of the whole batch, if it failed.
    pub error: Option<&'a (dyn std::error::Error + 'static)>,
}
