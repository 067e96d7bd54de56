//! Limits on the batches in flight, which hold for all threads of the process.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use asynq_loader::{ClaimId, LimitId, PartId, Permits};

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Table {
    permits: Permits,
    claimers: HashMap<ClaimId, (Arc<dyn Claimer>, PartId)>,
}

/// A loader whose parts claim permits.
pub(super) trait Claimer: Send + Sync {
    /// Begins a part that has its permits.
    fn granted(self: Arc<Self>, part: PartId);
}

/// A limit, as long as somebody can claim one of its permits.
pub(super) struct Limit {
    id: LimitId,
}

impl Limit {
    /// Creates a limit of so many permits (at least 1).
    pub(super) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { id: table().permits.add_limit(permits) })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        table().permits.remove_limit(self.id);
        grant();
    }
}

/// Permits of a part, or their claim, until it is dropped. Not to be dropped while a loader is locked.
pub(super) struct Claim {
    id: ClaimId,
    _limits: Vec<Arc<Limit>>,
}

impl Claim {
    /// Claims a permit of each of `limits` for a part. [`grant`] gives them.
    pub(super) fn new(limits: Vec<Arc<Limit>>, claimer: Arc<dyn Claimer>, part: PartId) -> Self {
        let ids: Vec<_> = limits.iter().map(|limit| limit.id).collect();
        let mut table = table();
        let id = table.permits.claim(&ids, 0);
        table.claimers.insert(id, (claimer, part));
        Self { id, _limits: limits }
    }

    /// Returns the id, for [`lend`].
    pub(super) fn id(&self) -> ClaimId {
        self.id
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let claimer = {
            let mut table = table();
            table.permits.release(self.id);
            table.claimers.remove(&self.id)
        };
        drop(claimer);
        grant();
    }
}

/// Lends the permits of a part, whose function waits for another part, to that one.
pub(super) fn lend(lender: ClaimId, borrower: ClaimId) {
    table().permits.lend(lender, borrower);
    grant();
}

/// Begins the parts that have got all of their permits.
pub(super) fn grant() {
    while let Some((claimer, part)) = next_granted() {
        claimer.granted(part);
    }
}

fn next_granted() -> Option<(Arc<dyn Claimer>, PartId)> {
    let mut table = table();
    let claim = table.permits.next_granted()?;
    let (claimer, part) = table.claimers.get(&claim)?;
    Some((Arc::clone(claimer), *part))
}

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}
