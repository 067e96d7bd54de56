//! Limits on the batches in flight, which hold for all threads of the process.
//!
//! # Note: loans
//!
//! The function of a batch may wait for loads, whose batches may need the permit that it holds. So a permit for which
//! parts wait is lent to one of them that its holder waits for: directly, through the functions of other batches, or
//! through the holders of other permits. If batches with permits wait for each other in a circle, one of them waits for a
//! part that needs its permit, so there is always one to lend.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use asynq_loader::{ClaimId, LimitId, PartId, Permits};

use super::flight::{Awaited, Flight};
use super::waking;

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
    /// Returns the call of a part that was sent.
    fn flight_of_part(&self, part: PartId) -> Option<Arc<Flight>>;
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

    /// Returns the id, by which others find who waits for it.
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

/// Begins the parts that have got all of their permits. Lends those that could not come back otherwise. No loader is
/// locked meanwhile.
pub(super) fn grant() {
    let mut begun = Ok(());
    loop {
        while let Some((claimer, part)) = next_granted() {
            begun = begun.and(catch_unwind(AssertUnwindSafe(|| claimer.granted(part))));
        }
        if !blocking().into_iter().any(lends) {
            break;
        }
    }
    waking::go_on(begun);
}

/// Returns the claims that hold a permit for which others wait.
fn blocking() -> Vec<ClaimId> {
    table().permits.blocking().collect()
}

/// Lends the permit of `lender`, if a part waits for it for which its function waits. Returns whether there is one.
fn lends(lender: ClaimId) -> bool {
    let mut next = Vec::from_iter(flight_of(lender));
    let mut seen: Vec<Arc<Flight>> = Vec::new();
    while let Some(flight) = next.pop() {
        if seen.iter().any(|seen| Arc::ptr_eq(seen, &flight)) {
            continue;
        }
        for awaited in flight.awaited() {
            match awaited {
                Awaited::Call(flight) => next.push(flight),
                Awaited::Permit(borrower) if table().permits.lend(lender, borrower) => return true,
                Awaited::Permit(claim) => {
                    let holders: Vec<_> = table().permits.holders(claim).collect();
                    next.extend(holders.into_iter().filter_map(flight_of));
                }
            }
        }
        seen.push(flight);
    }
    false
}

fn flight_of(claim: ClaimId) -> Option<Arc<Flight>> {
    let (claimer, part) = {
        let table = table();
        let (claimer, part) = table.claimers.get(&claim)?;
        (Arc::clone(claimer), *part)
    };
    claimer.flight_of_part(part)
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
