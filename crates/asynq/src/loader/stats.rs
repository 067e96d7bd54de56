//! What a loader has done so far.

use std::time::Duration;

/// Counts since a loader was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many batches went out.
    pub batches: usize,
    /// How many keys they had.
    pub keys: usize,
    /// How many loads needed none: what they asked for was kept, or asked for already.
    pub hits: usize,
    /// The keys of the largest batch.
    pub largest: usize,
    /// How long the batches took, added up; those that overlap count each.
    pub time: Duration,
}

/// A batch that came back, for [`after_flush`](super::Loader::after_flush).
#[derive(Debug)]
#[non_exhaustive]
pub struct Flushed<'a, K> {
    /// What it was asked for.
    pub keys: &'a [&'a K],
    /// How long that took.
    pub time: Duration,
    /// Why it failed as a whole, if it did.
    pub error: Option<&'a (dyn std::error::Error + 'static)>,
}
