//! Limits on the batches in flight, which hold for all threads of the process.
//!
//! # Note: loans
//!
//! The function of a batch may wait for loads, whose batches may need the permit that it holds. So a permit for which
//! parts wait is lent to one of them that its holder waits for: directly, through the functions of other batches, or
//! through the holders of other permits, of which a part may need several. If batches with permits wait for each other in a circle, one of them waits for a
//! part that needs its permit, so there is always one to lend.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use asynq_loader::{ClaimId, LimitId, PartId, Permits};

use super::calls::Calls;
use super::flight::{Awaited, Flight};
use super::runtime::Runtime;
use super::waking;

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Table {
    permits: Permits,
    claimers: HashMap<ClaimId, Waiting>,
}

/// The part of a claim, and the runtime that was around the code that has sent it.
#[derive(Clone)]
struct Waiting {
    claimer: Arc<dyn Claimer>,
    part: PartId,
    runtime: Option<Runtime>,
}

impl Waiting {
    /// Begins the part in its runtime. The one of this thread may be another, which may end at any time.
    fn begin(self) {
        let Self { claimer, part, runtime } = self;
        match runtime {
            Some(runtime) => runtime.inside(|| claimer.granted(part, Calls::InJobs)),
            None if Runtime::current().is_some() => claimer.granted(part, Calls::InPlace),
            None => claimer.granted(part, Calls::InJobs),
        }
    }
}

/// A loader whose parts claim permits.
pub(super) trait Claimer: Send + Sync {
    /// Begins a part that has its permits.
    fn granted(self: Arc<Self>, part: PartId, calls: Calls);
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
        begin(change(|permits| permits.remove_limit(self.id)));
        lend();
    }
}

/// Permits of a part, or their claim, until it is dropped. Not to be dropped while a loader is locked.
pub(super) struct Claim {
    id: ClaimId,
    _limits: Vec<Arc<Limit>>,
}

impl Claim {
    /// Claims a permit of each of `limits` for a part. Returns also whether it has them all. Otherwise the part begins once
    /// it has, and [`lend`] is to be called.
    pub(super) fn new(
        limits: Vec<Arc<Limit>>,
        claimer: Arc<dyn Claimer>,
        part: PartId,
    ) -> (Self, bool) {
        let ids: Vec<_> = limits.iter().map(|limit| limit.id).collect();
        let mut table = table();
        let id = table.permits.claim(&ids, 0);
        table.claimers.insert(id, Waiting { claimer, part, runtime: Runtime::current() });
        let is_granted = table.permits.next_granted() == Some(id);
        (Self { id, _limits: limits }, is_granted)
    }

    /// Returns the id, by which others find who waits for it.
    pub(super) fn id(&self) -> ClaimId {
        self.id
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let granted = change(|permits| permits.release(self.id));
        let claimer = table().claimers.remove(&self.id);
        drop(claimer);
        begin(granted);
        lend();
    }
}

/// Changes the permits. Returns the parts that have got all of theirs by that: no other thread begins them.
fn change(f: impl FnOnce(&mut Permits)) -> Vec<Waiting> {
    let mut table = table();
    f(&mut table.permits);
    table.granted()
}

impl Table {
    fn granted(&mut self) -> Vec<Waiting> {
        let Self { permits, claimers } = self;
        let granted = std::iter::from_fn(|| permits.next_granted());
        granted.filter_map(|claim| claimers.get(&claim).cloned()).collect()
    }
}

/// Begins parts, also if one of them panics.
fn begin(granted: Vec<Waiting>) {
    let mut begun = Ok(());
    for part in granted {
        begun = begun.and(catch_unwind(AssertUnwindSafe(|| part.begin())));
    }
    waking::go_on(begun);
}

/// Lends the permits that could not come back otherwise, and begins the parts that get them. No loader is locked meanwhile.
pub(super) fn lend() {
    while let Some(granted) = blocking().into_iter().find_map(lend_of) {
        begin(granted);
    }
}

/// Returns the claims that hold a permit for which others wait.
fn blocking() -> Vec<ClaimId> {
    table().permits.blocking().collect()
}

/// Lends the permit of `lender`, if a part waits for it for which its part or function waits. Returns the parts that have
/// got all of their permits by that.
fn lend_of(lender: ClaimId) -> Option<Vec<Waiting>> {
    let mut next = vec![Awaited::Permit(lender)];
    let (mut claims, mut flights) = (Vec::new(), Vec::<Arc<Flight>>::new());
    while let Some(awaited) = next.pop() {
        match awaited {
            Awaited::Call(flight) => {
                if !flights.iter().any(|seen| Arc::ptr_eq(seen, &flight)) {
                    next.extend(flight.awaited());
                    flights.push(flight);
                }
            }
            Awaited::Permit(claim) if claims.contains(&claim) => {}
            Awaited::Permit(claim) => {
                claims.push(claim);
                let mut table = table();
                if table.permits.lend(lender, claim) {
                    return Some(table.granted());
                }
                next.extend(table.permits.holders(claim).map(Awaited::Permit));
                drop(table);
                next.extend(flight_of(claim).map(Awaited::Call));
            }
        }
    }
    None
}

fn flight_of(claim: ClaimId) -> Option<Arc<Flight>> {
    let Waiting { claimer, part, .. } = table().claimers.get(&claim)?.clone();
    claimer.flight_of_part(part)
}

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}
