//! Permits of loaders: limits, claims, and loans between tasks that wait for each other.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use asynq_engine::{Engine, Status, TaskId};
use asynq_loader::{ClaimId, LimitId};
use slotmap::Key;

use super::payload::Payloads;
use super::permit_table::{Claimer, OuterWait, PermitTable};
use super::state::{self, Scheduler};

/// A limit, as long as somebody can claim one of its permits.
pub(crate) struct Limit {
    id: LimitId,
}

impl Limit {
    /// Creates a limit of so many permits (at least 1).
    pub(crate) fn new(permits: usize) -> Rc<Self> {
        let id = state::with(|scheduler| scheduler.permits.borrow_mut().permits.add_limit(permits));
        Rc::new(Self { id })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let remove = |scheduler: &Scheduler| {
            scheduler.permits.borrow_mut().permits.remove_limit(self.id);
            scheduler.grant_permits();
        };
        state::try_with(remove);
    }
}

/// Permits of a task, or their claim, until it is dropped.
pub(crate) struct Claim {
    id: ClaimId,
    /// Limit that is also kept if its permits are those of other calls.
    strict: Option<LimitId>,
    _limits: Vec<Rc<Limit>>,
}

impl Claim {
    /// Claims a permit of each of `limits` for a task. Calls `granted` when it has them all, at once
    /// perhaps. See [`wait_for_others`](Self::wait_for_others) about the `strict` one of the limits.
    pub(crate) fn new(
        limits: Vec<Rc<Limit>>,
        strict: Option<&Limit>,
        task: TaskId,
        granted: impl FnOnce() + 'static,
    ) -> Self {
        state::with(|scheduler| {
            // The calls around a synchronous one are suspended until it returns.
            let caller = scheduler.current_call().map_or(0, |call| call.data().as_ffi());
            let ids: Vec<_> = limits.iter().map(|limit| limit.id).collect();
            let id = {
                let mut table = scheduler.permits.borrow_mut();
                let id = table.permits.claim(&ids, caller);
                table.tasks.insert(task, id);
                let granted: Option<Box<dyn FnOnce()>> = Some(Box::new(granted));
                table.claims.insert(id, Claimer { task, granted, waits: OuterWait::None });
                id
            };
            scheduler.grant_permits();
            Self { id, strict: strict.map(|limit| limit.id), _limits: limits }
        })
    }

    /// Waits until the strict limit is kept: permits are granted beyond a limit if the others are of calls
    /// around this one. The call then drives their tasks, unless these wait for the call themselves.
    pub(crate) async fn wait_for_others(&self) {
        let Some(limit) = self.strict else { return };
        poll_fn(|_| {
            let waits = state::with(|scheduler| scheduler.request_others(self.id, limit));
            if waits { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let release = |scheduler: &Scheduler| {
            let claimer = {
                let mut table = scheduler.permits.borrow_mut();
                table.permits.release(self.id);
                let claimer = table.claims.remove(&self.id);
                table.tasks.remove(&claimer.as_ref().map_or_else(TaskId::null, |one| one.task));
                claimer
            };
            drop(claimer);
            scheduler.grant_permits();
        };
        state::try_with(release);
    }
}

impl Scheduler {
    fn grant_permits(&self) {
        while let Some(granted) = self.next_granted() {
            granted();
        }
    }

    fn next_granted(&self) -> Option<Box<dyn FnOnce()>> {
        let PermitTable { permits, claims, .. } = &mut *self.permits.borrow_mut();
        std::iter::from_fn(|| permits.next_granted())
            .find_map(|claim| claims.get_mut(&claim)?.granted.take())
    }

    /// Makes the running task, which has a claim, wait for the tasks with whose permits it exceeds a limit.
    /// Returns whether there are any.
    fn request_others(&self, claim: ClaimId, limit: LimitId) -> bool {
        let mut table = self.permits.borrow_mut();
        let PermitTable { permits, claims, .. } = &mut *table;
        let engine = &mut *self.engine();
        let can_end = |engine: &Engine<Payloads>, task| {
            let is_suspended = |task| engine.status(task) == Some(Status::Running);
            !is_suspended(task) && engine.find_awaited(task, is_suspended).is_none()
        };
        let others =
            permits.exceeded(claim, limit).filter_map(|other| Some(claims.get(&other)?.task));
        let others: Vec<_> = others.filter(|&task| can_end(engine, task)).collect();
        let Some(claimer) = claims.get_mut(&claim) else { return false };
        if others.is_empty() || claimer.waits == OuterWait::GivenUp {
            return false;
        }
        claimer.waits = OuterWait::Waits;
        for other in others {
            engine.depend(other);
            self.polling.count_await();
        }
        true
    }

    /// Lets the tasks of the innermost call exceed limits that wait for parts of other calls, when nothing
    /// else can go on. Returns whether there are any.
    pub(super) fn exceed_limits(&self) -> bool {
        let mut table = self.permits.borrow_mut();
        let mut engine = self.engine();
        let mut exceeds = false;
        for claimer in table.claims.values_mut() {
            if claimer.waits == OuterWait::Waits && engine.is_driven(claimer.task.into()) {
                claimer.waits = OuterWait::GivenUp;
                engine.interrupt(claimer.task);
                exceeds = true;
            }
        }
        exceeds
    }

    /// Lends the permits of tasks that wait for another task which waits for one of them. Returns
    /// whether there were any.
    pub(super) fn lend_permits(&self) -> bool {
        let mut lends = false;
        {
            let PermitTable { permits, tasks, claims } = &mut *self.permits.borrow_mut();
            if !permits.has_waiting() {
                return false;
            }
            let engine = self.engine();
            for lender in permits.blocking().collect::<Vec<_>>() {
                let Some(claimer) = claims.get(&lender) else { continue };
                let is_helped =
                    |task| tasks.get(&task).is_some_and(|&borrower| permits.lend(lender, borrower));
                lends |= engine.find_awaited(claimer.task, is_helped).is_some();
            }
        }
        self.grant_permits();
        lends
    }
}
