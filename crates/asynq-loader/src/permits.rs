//! Permits: limits of the parts in flight, which any number of loaders can share.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use slotmap::SlotMap;

use crate::id::{ClaimId, LimitId};

/// The limits of one host or process, and the parts that hold or wait for their permits.
///
/// Each part [claims](Self::claim) its permits, gets them in the order of the claims, and
/// [releases](Self::release) them when it has ended. A part may need permits of several limits: of its
/// loader, of a group of loaders, of the host. It acquires them in the order given, which must be the
/// same for all parts, so that no two wait for each other.
///
/// Two rules keep a limit from stopping what it limits:
///
/// - **Callers.** A claim waits only for permits that the same *caller* holds. A caller is a call
///   that can be suspended by another, or left: a number of the face. The calls around a synchronous
///   call are suspended until it returns, and nobody drives the parts of a call that has ended. A face
///   without such calls has one caller. One that can drive the parts of other callers may let a part wait
///   for those whose permits it [exceeds](Self::exceeded) the limit with.
/// - **Loans.** A part whose function waits for another part [lends](Self::lend) it its permits. They
///   come back when that part has ended.
#[derive(Default)]
pub struct Permits {
    limits: SlotMap<LimitId, Limit>,
    claims: SlotMap<ClaimId, Claim>,
    last_number: u64,
    granted: VecDeque<ClaimId>,
}

struct Limit {
    max: usize,
    permits: Vec<Permit>,
    waiting: VecDeque<ClaimId>,
}

/// A permit that is not free.
struct Permit {
    holder: ClaimId,
    /// Caller that has claimed it.
    caller: u64,
    /// Claims that have lent it, the last one to the holder.
    lenders: Vec<ClaimId>,
}

struct Claim {
    limits: Box<[LimitId]>,
    caller: u64,
    /// Numbers count on in the order of the claims.
    number: u64,
    /// Number of limits of which it has, or has lent, a permit.
    acquired: usize,
}

impl Permits {
    /// Creates a host without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a limit of so many permits (0 counts as 1).
    pub fn add_limit(&mut self, permits: usize) -> LimitId {
        self.limits.insert(Limit {
            max: permits.max(1),
            permits: Vec::new(),
            waiting: VecDeque::new(),
        })
    }

    /// Removes a limit. Parts that wait for one of its permits go on without it.
    pub fn remove_limit(&mut self, limit: LimitId) {
        if let Some(limit) = self.limits.remove(limit) {
            for claim in limit.waiting {
                self.acquire(claim);
            }
        }
    }

    /// Claims a permit of each of `limits`, for a part of `caller`.
    pub fn claim(&mut self, limits: &[LimitId], caller: u64) -> ClaimId {
        self.last_number += 1;
        let (limits, number) = (limits.into(), self.last_number);
        let claim = self.claims.insert(Claim { limits, caller, number, acquired: 0 });
        self.acquire(claim);
        claim
    }

    /// Returns the next claim that has got all of its permits. To be called after each of the other
    /// calls, until there is none.
    pub fn next_granted(&mut self) -> Option<ClaimId> {
        while let Some(claim) = self.granted.pop_front() {
            if self.claims.contains_key(claim) {
                return Some(claim);
            }
        }
        None
    }

    /// Ends a claim: its part has ended, or is not sent. Its permits go to those that wait, or back to
    /// the parts that have lent them.
    pub fn release(&mut self, claim: ClaimId) {
        let Some(ended) = self.claims.remove(claim) else { return };
        for (index, &id) in ended.limits.iter().enumerate() {
            let Some(limit) = self.limits.get_mut(id) else { continue };
            if index < ended.acquired {
                limit.give_back(claim, &self.claims);
                self.grant(id, ended.caller);
            } else if index == ended.acquired {
                limit.waiting.retain(|&waiting| waiting != claim);
            }
        }
    }

    /// Lends the permits of `lender`, whose function waits for the part of `borrower`, to that one.
    /// Returns whether that helps: `borrower` waits for a permit that `lender` has.
    pub fn lend(&mut self, lender: ClaimId, borrower: ClaimId) -> bool {
        let Some(claim) = self.claims.get(borrower) else { return false };
        let Some(&id) = claim.limits.get(claim.acquired) else { return false };
        let Some(limit) = self.limits.get_mut(id) else { return false };
        let Some(permit) = limit.permits.iter_mut().find(|permit| permit.holder == lender) else {
            return false;
        };
        permit.lenders.push(lender);
        permit.holder = borrower;
        limit.waiting.retain(|&waiting| waiting != borrower);
        self.claims[borrower].acquired += 1;
        self.acquire(borrower);
        true
    }

    /// Returns the claims of other callers that a claim exceeds a limit with: those before it that have a
    /// permit, if there are more than the limit has. For a face that can drive their parts, and let
    /// the part of the claim wait for them.
    pub fn exceeded(&self, claim: ClaimId, limit: LimitId) -> impl Iterator<Item = ClaimId> + '_ {
        let limit = self.limits.get(limit).filter(|limit| limit.permits.len() > limit.max);
        let own = self.claims.get(claim);
        let permits = limit.into_iter().flat_map(|limit| &limit.permits);
        permits.map(|permit| permit.holder).filter(move |&holder| {
            let (Some(own), Some(other)) = (own, self.claims.get(holder)) else { return false };
            own.caller != other.caller && other.number < own.number
        })
    }

    /// Returns whether a claim waits for a permit.
    #[must_use]
    pub fn is_waiting(&self, claim: ClaimId) -> bool {
        self.claims.get(claim).is_some_and(|claim| claim.acquired < claim.limits.len())
    }

    /// Returns the claims that hold a permit for which others wait: for a face that looks for
    /// [loans](Self::lend).
    pub fn blocking(&self) -> impl Iterator<Item = ClaimId> + '_ {
        let blocking = self.limits.values().filter(|limit| !limit.waiting.is_empty());
        blocking.flat_map(|limit| limit.permits.iter().map(|permit| permit.holder))
    }

    /// Returns the claims that hold the permits for one of which a claim waits.
    pub fn holders(&self, claim: ClaimId) -> impl Iterator<Item = ClaimId> + '_ {
        let claim = self.claims.get(claim);
        let id = claim.and_then(|claim| claim.limits.get(claim.acquired));
        let limit = id.and_then(|&id| self.limits.get(id));
        limit.into_iter().flat_map(|limit| limit.permits.iter().map(|permit| permit.holder))
    }

    /// Returns whether any claim waits for a permit.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.limits.values().any(|limit| !limit.waiting.is_empty())
    }

    /// Acquires the permits that a claim has not got, as far as they are free.
    fn acquire(&mut self, id: ClaimId) {
        let Some(claim) = self.claims.get_mut(id) else { return };
        while let Some(&limit) = claim.limits.get(claim.acquired) {
            if let Some(limit) = self.limits.get_mut(limit) {
                if !limit.has_permit_for(claim.caller) {
                    limit.waiting.push_back(id);
                    return;
                }
                limit.give(id, claim.caller);
            }
            claim.acquired += 1;
        }
        self.granted.push_back(id);
    }

    /// Gives a permit of a limit, of which `caller` has returned one, to the claims that wait for it.
    fn grant(&mut self, id: LimitId, caller: u64) {
        while let Some(limit) = self.limits.get_mut(id) {
            let next = if limit.has_room() {
                limit.waiting.pop_front()
            } else if !limit.is_held_by(caller) {
                let claims = &self.claims;
                let is_of_caller = |&claim: &ClaimId| claims[claim].caller == caller;
                let index = limit.waiting.iter().position(is_of_caller);
                index.and_then(|index| limit.waiting.remove(index))
            } else {
                None
            };
            let Some(next) = next else { return };
            let claim = &mut self.claims[next];
            limit.give(next, claim.caller);
            claim.acquired += 1;
            self.acquire(next);
        }
    }
}

impl Limit {
    fn has_room(&self) -> bool {
        self.permits.len() < self.max
    }

    fn is_held_by(&self, caller: u64) -> bool {
        self.permits.iter().any(|permit| permit.caller == caller)
    }

    fn has_permit_for(&self, caller: u64) -> bool {
        self.has_room() || !self.is_held_by(caller)
    }

    fn give(&mut self, holder: ClaimId, caller: u64) {
        self.permits.push(Permit { holder, caller, lenders: Vec::new() });
    }

    /// Takes the permit of a claim that has ended. One that was lent to it goes back.
    fn give_back(&mut self, claim: ClaimId, claims: &SlotMap<ClaimId, Claim>) {
        let is_held = |permit: &Permit| permit.holder == claim;
        let Some(index) = self.permits.iter().position(is_held) else {
            // The claim has lent it to another, which keeps it.
            for permit in &mut self.permits {
                permit.lenders.retain(|&lender| lender != claim);
            }
            return;
        };
        let permit = &mut self.permits[index];
        match permit.lenders.pop() {
            Some(lender) if claims.contains_key(lender) => permit.holder = lender,
            _ => {
                self.permits.swap_remove(index);
            }
        }
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.limits
                    .iter()
                    .map(|(id, limit)| (id, (limit.max, limit.permits.len(), limit.waiting.len()))),
            )
            .finish()
    }
}
