//! Permits: their order, callers that are suspended, and loans.

use asynq_loader::{ClaimId, Permits};
use proptest::collection::vec;
use proptest::prelude::*;

fn granted(permits: &mut Permits) -> Vec<ClaimId> {
    std::iter::from_fn(|| permits.next_granted()).collect()
}

#[test]
fn claims_get_permits_in_their_order() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [one, two, three] = [0; 3].map(|caller| permits.claim(&limits, caller));
    assert_eq!(granted(&mut permits), [one]);
    permits.release(one);
    assert_eq!(granted(&mut permits), [two]);
    permits.release(two);
    assert_eq!(granted(&mut permits), [three]);
}

#[test]
fn without_limits_a_claim_is_granted() {
    let mut permits = Permits::new();
    let claim = permits.claim(&[], 0);
    assert_eq!(granted(&mut permits), [claim]);
}

#[test]
fn a_claim_knows_the_claims_that_it_exceeds_a_limit_with() {
    let mut permits = Permits::new();
    let limit = permits.add_limit(1);
    let [first, other, next] = [0, 1, 1].map(|caller| permits.claim(&[limit], caller));
    assert_eq!(granted(&mut permits), [first, other]);
    let exceeded = |permits: &Permits, claim| permits.exceeded(claim, limit).collect::<Vec<_>>();
    assert_eq!(exceeded(&permits, other), [first]);
    assert_eq!(exceeded(&permits, first), [], "it was before");
    assert_eq!(exceeded(&permits, next), [first], "it is of the same caller as the other one");
    permits.release(first);
    assert_eq!(exceeded(&permits, other), []);
}

#[test]
fn a_claim_that_is_withdrawn_is_passed_over() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [one, two, three] = [0; 3].map(|caller| permits.claim(&limits, caller));
    permits.release(two);
    permits.release(one);
    assert_eq!(granted(&mut permits), [three]);
}

#[test]
fn a_claim_that_is_withdrawn_before_it_is_taken_is_not_granted() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [one, two] = [0; 2].map(|caller| permits.claim(&limits, caller));
    permits.release(one);
    assert_eq!(granted(&mut permits), [two]);
}

#[test]
fn a_part_needs_a_permit_of_each_limit() {
    let mut permits = Permits::new();
    let (own, shared) = (permits.add_limit(5), permits.add_limit(1));
    let one = permits.claim(&[shared], 0);
    let two = permits.claim(&[own, shared], 0);
    assert_eq!(granted(&mut permits), [one]);
    assert!(permits.is_waiting(two) && permits.has_waiting());
    permits.release(one);
    assert_eq!(granted(&mut permits), [two]);
    assert!(!permits.has_waiting());
}

#[test]
fn a_claim_that_is_withdrawn_gives_back_the_permits_it_has() {
    let mut permits = Permits::new();
    let (own, shared) = (permits.add_limit(1), permits.add_limit(1));
    let holder = permits.claim(&[shared], 0);
    let waits = permits.claim(&[own, shared], 0);
    let next = permits.claim(&[own], 0);
    assert_eq!(granted(&mut permits), [holder]);
    permits.release(waits);
    assert_eq!(granted(&mut permits), [next]);
}

#[test]
fn a_limit_that_is_removed_holds_nobody_back() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [one, two] = [0; 2].map(|caller| permits.claim(&limits, caller));
    permits.remove_limit(limits[0]);
    assert_eq!(granted(&mut permits), [one, two]);
}

#[test]
fn a_claim_does_not_wait_for_other_callers() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let outer = permits.claim(&limits, 1);
    let inner = permits.claim(&limits, 2);
    assert_eq!(granted(&mut permits), [outer, inner]);
    let waits = permits.claim(&limits, 2);
    assert_eq!(granted(&mut permits), []);
    permits.release(inner);
    assert_eq!(granted(&mut permits), [waits]);
}

#[test]
fn a_permit_beyond_the_limit_is_not_passed_on_to_another_caller() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [outer, waits] = [1; 2].map(|caller| permits.claim(&limits, caller));
    let inner = permits.claim(&limits, 2);
    assert_eq!(granted(&mut permits), [outer, inner]);
    permits.release(inner);
    assert_eq!(granted(&mut permits), []);
    permits.release(outer);
    assert_eq!(granted(&mut permits), [waits]);
}

#[test]
fn a_claim_waits_for_those_who_hold_its_next_permit() {
    let mut permits = Permits::new();
    let [first, second] = [permits.add_limit(1), permits.add_limit(2)];
    let [one, two] = [0; 2].map(|caller| permits.claim(&[second], caller));
    let both = permits.claim(&[first, second], 0);
    assert_eq!(permits.holders(both).collect::<Vec<_>>(), [one, two]);
    assert_eq!(permits.holders(one).count(), 0, "it has its permit");
    permits.release(two);
    assert_eq!(permits.holders(both).count(), 0, "it has both");
}

#[test]
fn a_permit_that_was_lent_comes_back() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [lender, first, borrower] = [0; 3].map(|caller| permits.claim(&limits, caller));
    assert_eq!(granted(&mut permits), [lender]);
    assert!(permits.lend(lender, borrower));
    assert_eq!(granted(&mut permits), [borrower]);
    permits.release(borrower);
    assert_eq!(granted(&mut permits), [], "the lender has it again");
    permits.release(lender);
    assert_eq!(granted(&mut permits), [first]);
}

#[test]
fn a_borrower_can_lend() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [one, two, three] = [0; 3].map(|caller| permits.claim(&limits, caller));
    assert!(permits.lend(one, two) && permits.lend(two, three));
    assert_eq!(granted(&mut permits), [one, two, three]);
    permits.release(three);
    permits.release(two);
    let next = permits.claim(&limits, 0);
    permits.release(one);
    assert_eq!(granted(&mut permits), [next]);
}

#[test]
fn a_lender_that_ends_leaves_its_permit_to_the_borrower() {
    let mut permits = Permits::new();
    let limits = [permits.add_limit(1)];
    let [lender, borrower, next] = [0; 3].map(|caller| permits.claim(&limits, caller));
    permits.lend(lender, borrower);
    permits.release(lender);
    assert_eq!(granted(&mut permits), [borrower]);
    permits.release(borrower);
    assert_eq!(granted(&mut permits), [next]);
}

#[test]
fn a_claim_lends_only_what_it_has_and_another_waits_for() {
    let mut permits = Permits::new();
    let (one, two) = (permits.add_limit(1), permits.add_limit(1));
    let lender = permits.claim(&[one], 0);
    let holder = permits.claim(&[two], 0);
    let waits = permits.claim(&[two], 0);
    assert!(!permits.lend(lender, waits));
    assert!(!permits.lend(holder, lender), "it has its permits");
    assert!(permits.lend(holder, waits));
}

#[test]
fn the_claims_that_hold_others_back_can_be_listed() {
    let mut permits = Permits::new();
    let (full, free) = (permits.add_limit(2), permits.add_limit(1));
    permits.claim(&[free], 0);
    let [one, two, _] = [0; 3].map(|caller| permits.claim(&[full], caller));
    assert_eq!(permits.blocking().collect::<Vec<_>>(), [one, two]);
}

#[derive(Clone, Debug)]
enum Step {
    Claim { own: bool, shared: bool, caller: u64 },
    Release(usize),
    Lend(usize, usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), 0..3_u64)
            .prop_map(|(own, shared, caller)| Step::Claim { own, shared, caller }),
        3 => (0..16_usize).prop_map(Step::Release),
        2 => (0..16_usize, 0..16_usize).prop_map(|(lender, borrower)| Step::Lend(lender, borrower)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Claims that wait get their permits in the end, whatever was lent and withdrawn before; a limit
    /// is exceeded only for another caller.
    #[test]
    fn no_permit_is_lost(steps in vec(steps(), 0..60), max in 1..4_usize) {
        let mut permits = Permits::new();
        let (own, shared) = (permits.add_limit(max), permits.add_limit(1));
        let mut claims: Vec<(ClaimId, u64)> = Vec::new();
        let mut holding: Vec<ClaimId> = Vec::new();
        for step in steps {
            match step {
                Step::Claim { own: needs_own, shared: needs_shared, caller } => {
                    let limits = [needs_own.then_some(own), needs_shared.then_some(shared)];
                    let limits: Vec<_> = limits.into_iter().flatten().collect();
                    claims.push((permits.claim(&limits, caller), caller));
                }
                Step::Release(number) if !claims.is_empty() => {
                    let (claim, _) = claims.swap_remove(number % claims.len());
                    holding.retain(|&other| other != claim);
                    permits.release(claim);
                }
                Step::Lend(lender, borrower) if !claims.is_empty() => {
                    let [lender, borrower] =
                        [lender, borrower].map(|number| claims[number % claims.len()].0);
                    let helps = permits.lend(lender, borrower);
                    prop_assert!(!helps || lender != borrower);
                }
                Step::Release(_) | Step::Lend(..) => {}
            }
            for claim in granted(&mut permits) {
                prop_assert!(!permits.is_waiting(claim) && !holding.contains(&claim));
                holding.push(claim);
            }
            let waiting = claims.iter().filter(|(claim, _)| permits.is_waiting(*claim)).count();
            prop_assert_eq!(waiting + holding.len(), claims.len());
            prop_assert_eq!(permits.has_waiting(), waiting > 0);
        }
        while let Some(claim) = holding.pop() {
            permits.release(claim);
            holding.extend(granted(&mut permits));
        }
        prop_assert!(!permits.has_waiting());
        let last = permits.claim(&[own, shared], 0);
        prop_assert_eq!(granted(&mut permits), [last]);
        let waits = permits.claim(&[shared], 0);
        prop_assert!(permits.is_waiting(waits), "no permit was added");
    }
}
