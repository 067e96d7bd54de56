//! Keys that are cached, cleared, given up, or written.

use asynq_loader::{Join, Output, Settings};

use crate::common::{calls, load, loader, outputs, sent};

#[test]
fn cached_keys_alone_send_nothing() {
    let mut loader = loader(Settings::default());
    let cached = loader.load_cached();
    loader.load(0);
    loader.cached_ready(false);
    assert_eq!(outputs(&mut loader), [Output::Resolve(cached)]);
    assert_eq!(loader.unsent(), 1);
}

#[test]
fn cached_keys_do_not_wait_for_keys_that_are_loaded_later() {
    let mut loader = loader(Settings::default());
    load(&mut loader, 1, 0);
    let cached = loader.load_cached();
    loader.cached_ready(true);
    loader.round_ready(0);
    let [part] = calls(&mut loader, 0)[..] else { panic!("one part") };
    let (later, _) = sent(&mut loader, 1, 0);
    loader.ended(part, 0);
    assert_eq!(outputs(&mut loader), [Output::Resolve(cached)]);
    assert!(loader.ended(later, 0).is_some());
}

#[test]
fn cached_keys_go_on_when_the_keys_that_they_wait_for_are_given_up() {
    let mut loader = loader(Settings::default());
    let fresh = loader.load(0);
    let cached = loader.load_cached();
    loader.cached_ready(true);
    loader.cancel(fresh);
    assert_eq!(outputs(&mut loader), [Output::Forget(fresh), Output::Resolve(cached)]);
}

#[test]
fn a_cached_key_can_have_several_loads() {
    let mut loader = loader(Settings::default());
    let cached = loader.load_cached();
    assert_eq!(loader.join(cached, |_| false), Join::Shared);
    loader.cancel(cached);
    loader.cached_ready(false);
    assert_eq!(outputs(&mut loader), [Output::Resolve(cached)]);
}

#[test]
fn a_cleared_key_is_shared_as_long_as_it_was_not_sent() {
    let mut loader = loader(Settings::default());
    let slot = loader.load(0);
    assert!(!loader.clear(slot));
    assert_eq!(loader.join(slot, |_| false), Join::Shared);
}

#[test]
fn a_key_that_is_cleared_in_flight_is_not_shared() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 2, 0);
    assert!(loader.clear(slots[0]));
    assert_eq!(loader.join(slots[0], |_| false), Join::Gone);
    assert_eq!(loader.join(slots[1], |_| false), Join::Shared);
    assert!(!loader.answered(part, 0).unwrap().is_fresh);
    assert!(loader.answered(part, 1).unwrap().is_fresh);
}

#[test]
fn keys_that_are_sent_after_a_clear_are_fresh() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 1, 0);
    loader.clear_all();
    assert_eq!(loader.join(slots[0], |_| false), Join::Gone);
    assert!(!loader.answered(part, 0).unwrap().is_fresh);
    let (part, _) = sent(&mut loader, 1, 0);
    assert!(loader.answered(part, 0).unwrap().is_fresh);
}

#[test]
fn a_part_may_not_wait_for_itself_but_for_others() {
    let mut loader = loader(Settings::default());
    let (one, first) = sent(&mut loader, 1, 0);
    let (two, _) = sent(&mut loader, 1, 0);
    assert_eq!(loader.join(first[0], |part| part == one), Join::SelfWait);
    assert_eq!(loader.join(first[0], |part| part == two), Join::Shared);
    assert_eq!(loader.stats().hits, 1);
}

#[test]
fn a_key_that_is_loaded_again_after_it_was_given_up_keeps_its_part_going() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 2, 0);
    loader.cancel(slots[0]);
    assert_eq!(loader.join(slots[0], |_| false), Join::Shared);
    loader.cancel(slots[1]);
    assert_eq!(outputs(&mut loader), []);
    loader.cancel(slots[0]);
    let [first, second] = slots[..] else { panic!("two keys") };
    let forgotten = [Output::Forget(first), Output::Forget(second), Output::Cancel(part)];
    assert_eq!(outputs(&mut loader), forgotten);
    assert!(loader.is_idle());
}

#[test]
fn a_load_that_is_given_up_twice_ends_once() {
    let mut loader = loader(Settings::default());
    let slot = loader.load(0);
    loader.cancel(slot);
    loader.cancel(slot);
    assert_eq!((loader.unsent(), loader.pending()), (0, 0));
}

#[test]
fn claims_that_are_not_needed_any_more_are_withdrawn() {
    let mut loader = loader(Settings { max_batch_size: 1, ..Settings::default() });
    let slots = load(&mut loader, 2, 0);
    loader.round_ready(0);
    let [Output::Claim(first), Output::Claim(second)] = outputs(&mut loader)[..] else { panic!() };
    loader.cancel(slots[0]);
    assert_eq!(outputs(&mut loader), [Output::Forget(slots[0]), Output::Cancel(second)]);
    assert!(!loader.permit(second, 0));
    assert!(loader.permit(first, 0));
    assert_eq!(loader.slots_of(first), Some(&slots[1..]));
}

#[test]
fn a_part_that_gets_its_permit_out_of_turn_takes_its_own_keys() {
    let mut loader = loader(Settings { max_batch_size: 1, ..Settings::default() });
    let outer = loader.load(0);
    loader.round_ready(0);
    let inner = loader.load(0);
    loader.round_ready(0);
    let [Output::Claim(first), Output::Claim(second)] = outputs(&mut loader)[..] else { panic!() };
    assert!(loader.permit(second, 0));
    assert_eq!(loader.slots_of(second), Some(&[inner][..]));
    assert!(loader.permit(first, 0));
    assert_eq!(loader.slots_of(first), Some(&[outer][..]));
}

#[test]
fn writes_are_sent_although_nobody_waits() {
    let mut loader = loader(Settings { sends_unawaited: true, ..Settings::default() });
    let slot = loader.load(0);
    loader.cancel(slot);
    loader.round_ready(0);
    let [part] = calls(&mut loader, 0)[..] else { panic!("one part") };
    assert_eq!(loader.slots_of(part), Some(&[slot][..]));
}

#[test]
fn writes_in_flight_are_not_cancelled() {
    let mut loader = loader(Settings { sends_unawaited: true, ..Settings::default() });
    let (part, slots) = sent(&mut loader, 1, 0);
    loader.cancel(slots[0]);
    assert_eq!(outputs(&mut loader), []);
    assert!(loader.answered(part, 0).is_some());
}

#[test]
fn settings_can_change() {
    let mut loader = loader(Settings::default());
    load(&mut loader, 3, 0);
    loader.set(Settings { max_batch_size: 2, ..Settings::default() });
    loader.round_ready(0);
    assert_eq!(calls(&mut loader, 0).len(), 2);
}
