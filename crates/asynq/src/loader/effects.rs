//! Consequences of a change of a loader's state.

use std::sync::Arc;

use asynq_loader::PartId;
use smallvec::SmallVec;

use super::entry::Entry;
use super::flight::Flight;
use super::id::EntryId;
use super::job::Job;
use super::limits::Claim;

/// A call of the batch function.
pub(super) struct Part<K> {
    pub(super) keys: Arc<Vec<K>>,
    pub(super) entries: Vec<EntryId>,
    pub(super) flight: Arc<Flight>,
    /// The call, if the function is async.
    pub(super) job: Option<Arc<Job>>,
    /// Its permits.
    pub(super) _claim: Option<Claim>,
}

/// Consequences of a change of the state, carried out once the lock is released: they run code of users.
pub(super) struct Effects<K, V> {
    /// Parts that claim permits.
    pub(super) claims: SmallVec<[PartId; 1]>,
    pub(super) cancelled: Vec<Part<K>>,
    pub(super) ended: SmallVec<[Part<K>; 1]>,
    pub(super) withdrawn: Vec<Claim>,
    pub(super) entries: Vec<Entry<K, V>>,
}

impl<K, V> Default for Effects<K, V> {
    fn default() -> Self {
        Self {
            claims: SmallVec::new(),
            cancelled: Vec::new(),
            ended: SmallVec::new(),
            withdrawn: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl<K, V> Effects<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.cancelled.is_empty()
            && self.ended.is_empty()
            && self.withdrawn.is_empty()
            && self.entries.is_empty()
    }

    /// Cancels jobs, and drops keys and values.
    pub(super) fn run(self) {
        for part in &self.cancelled {
            if let Some(job) = &part.job {
                job.cancel();
            }
        }
    }
}
