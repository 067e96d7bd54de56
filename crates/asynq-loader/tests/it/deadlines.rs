//! Deadlines of keys, which cover the wait for permits.

use asynq_loader::{Output, Settings};

use crate::common::{load, loader, outputs, sent};

const TIMED: Settings = Settings {
    max_batch_size: usize::MAX,
    timeout: Some(10),
    max_delay: None,
    hold: 0,
    sends_unawaited: false,
    holds_alone: true,
    settle: 0,
    busy: None,
};

#[test]
fn a_deadline_begins_when_the_round_is_ready() {
    let mut loader = loader(TIMED);
    loader.load(0);
    loader.round_ready(3);
    let [Output::Claim(part)] = outputs(&mut loader)[..] else { panic!() };
    assert_eq!(loader.deadline(part), Some(13));
    assert!(loader.permit(part, 7));
    assert_eq!(loader.deadline(part), Some(13));
}

#[test]
fn without_a_timeout_there_is_no_deadline() {
    let mut loader = loader(Settings { timeout: None, ..TIMED });
    let (part, _) = sent(&mut loader, 1, 0);
    assert_eq!(loader.deadline(part), None);
    loader.late(part, u64::MAX);
    assert_eq!(outputs(&mut loader), []);
}

#[test]
fn a_key_that_waits_for_a_permit_can_be_late() {
    let mut loader = loader(TIMED);
    let slots = load(&mut loader, 2, 0);
    loader.round_ready(0);
    let [Output::Claim(part)] = outputs(&mut loader)[..] else { panic!() };
    loader.late(part, 9);
    assert_eq!(outputs(&mut loader), []);
    loader.late(part, 10);
    let late = slots.iter().map(|&slot| Output::Late(slot));
    assert_eq!(outputs(&mut loader), late.chain([Output::Cancel(part)]).collect::<Vec<_>>());
    assert!(loader.is_idle());
}

#[test]
fn a_key_that_is_late_when_the_permit_comes_is_not_sent() {
    let mut loader = loader(TIMED);
    let late = loader.load(0);
    loader.round_ready(0);
    let [Output::Claim(part)] = outputs(&mut loader)[..] else { panic!() };
    let in_time = loader.load(5);
    loader.round_ready(5);
    assert!(loader.permit(part, 10));
    assert_eq!(outputs(&mut loader), [Output::Late(late)]);
    assert_eq!(loader.slots_of(part), Some(&[in_time][..]));
}

#[test]
fn each_key_of_a_part_has_its_own_deadline() {
    let mut loader = loader(TIMED);
    let first = loader.load(0);
    loader.round_ready(0);
    let [Output::Claim(part)] = outputs(&mut loader)[..] else { panic!() };
    let second = loader.load(4);
    loader.round_ready(4);
    let third = loader.load(6); // It goes along, although its round was not ready.
    assert!(loader.permit(part, 6));
    loader.late(part, 10);
    assert_eq!(outputs(&mut loader), [Output::Late(first)]);
    assert_eq!(loader.deadline(part), Some(14));
    loader.late(part, 14);
    assert_eq!(outputs(&mut loader), [Output::Late(second)]);
    loader.late(part, 16);
    assert_eq!(outputs(&mut loader), [Output::Late(third), Output::Cancel(part)]);
}

#[test]
fn a_part_whose_other_keys_have_answers_is_cancelled_with_its_last_key() {
    let mut loader = loader(TIMED);
    let (part, slots) = sent(&mut loader, 2, 0);
    loader.answered(part, 1);
    loader.late(part, 10);
    assert_eq!(outputs(&mut loader), [Output::Late(slots[0]), Output::Cancel(part)]);
}

#[test]
fn a_part_that_has_all_its_answers_is_not_late() {
    let mut loader = loader(TIMED);
    let (part, _) = sent(&mut loader, 1, 0);
    loader.answered(part, 0);
    loader.late(part, 10);
    assert_eq!(outputs(&mut loader), []);
    assert!(loader.ended(part, 10).is_some());
}

#[test]
fn a_late_part_counts_its_time() {
    let mut loader = loader(TIMED);
    let (part, _) = sent(&mut loader, 1, 5);
    loader.late(part, 15);
    assert_eq!((loader.stats().batches, loader.stats().time), (1, 10));
}

#[test]
fn time_does_not_count_while_a_part_waits_for_a_permit() {
    let mut loader = loader(TIMED);
    loader.load(0);
    loader.round_ready(0);
    let [Output::Claim(part)] = outputs(&mut loader)[..] else { panic!() };
    loader.permit(part, 4);
    loader.ended(part, 9);
    assert_eq!(loader.stats().time, 5);
}
