//! Permits of loaders: limits, claims, and loans between tasks that wait for each other.

use std::rc::Rc;

use asynq_engine::TaskId;
use asynq_loader::{ClaimId, LimitId};
use slotmap::Key;

use super::permit_table::{Claimer, PermitTable};
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
    _limits: Vec<Rc<Limit>>,
}

impl Claim {
    /// Claims a permit of each of `limits` for a task. Calls `granted` when it has them all, at once
    /// perhaps.
    pub(crate) fn new(
        limits: Vec<Rc<Limit>>,
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
                table.claims.insert(id, Claimer { task, granted: Some(Box::new(granted)) });
                id
            };
            scheduler.grant_permits();
            Self { id, _limits: limits }
        })
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
