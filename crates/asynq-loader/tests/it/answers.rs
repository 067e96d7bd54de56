//! Answers that are late, double, foreign or missing.

use asynq_loader::{Answered, Ended, Output, Settings};

use crate::common::{loader, outputs, sent};

#[test]
fn an_answer_ends_its_slot() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 1, 0);
    let answered = loader.answered(part, 0);
    assert_eq!(answered, Some(Answered { slot: slots[0], is_fresh: true }));
    assert!(!loader.is_pending(slots[0]));
    assert!(loader.is_idle());
}

#[test]
fn a_second_answer_is_dropped() {
    let mut loader = loader(Settings::default());
    let (part, _) = sent(&mut loader, 1, 0);
    assert!(loader.answered(part, 0).is_some());
    assert_eq!(loader.answered(part, 0), None);
}

#[test]
fn an_answer_to_a_key_that_the_part_does_not_have_is_dropped() {
    let mut loader = loader(Settings::default());
    let (part, _) = sent(&mut loader, 1, 0);
    assert_eq!(loader.answered(part, 1), None);
    assert_eq!(loader.pending(), 1);
}

#[test]
fn an_answer_after_the_end_of_its_part_is_dropped() {
    let mut loader = loader(Settings::default());
    let (part, _) = sent(&mut loader, 1, 0);
    loader.ended(part, 0);
    assert_eq!(loader.answered(part, 0), None);
    assert_eq!(loader.ended(part, 0), None);
}

#[test]
fn an_answer_before_the_permit_is_dropped() {
    let mut loader = loader(Settings::default());
    loader.load(0);
    loader.round_ready(0);
    let Some(Output::Claim(part)) = loader.next_output() else { panic!() };
    assert_eq!(loader.answered(part, 0), None);
    assert!(loader.permit(part, 0), "it can still be sent");
}

#[test]
fn the_keys_of_a_part_that_is_given_up_before_its_permit_wait_for_the_next() {
    let mut loader = loader(Settings::default());
    loader.load(0);
    loader.round_ready(0);
    let Some(Output::Claim(part)) = loader.next_output() else { panic!() };
    assert_eq!(loader.ended(part, 0), None);
    assert!(!loader.permit(part, 0));
    loader.round_ready(0);
    assert!(matches!(loader.next_output(), Some(Output::Claim(_))));
}

#[test]
fn a_second_permit_sends_nothing() {
    let mut loader = loader(Settings::default());
    let (part, _) = sent(&mut loader, 1, 0);
    loader.load(0);
    assert!(!loader.permit(part, 0));
    assert_eq!(loader.unsent(), 1);
}

#[test]
fn the_end_of_a_part_ends_the_slots_without_an_answer() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 3, 10);
    loader.answered(part, 1);
    let ended = loader.ended(part, 17);
    assert_eq!(ended, Some(Ended { unanswered: vec![slots[0], slots[2]], time: 7 }));
    assert!(loader.is_idle());
}

#[test]
fn an_answer_to_a_late_key_is_dropped() {
    let mut loader = loader(Settings { timeout: Some(5), ..Settings::default() });
    let (part, slots) = sent(&mut loader, 1, 0);
    loader.late(part, 5);
    assert_eq!(outputs(&mut loader), [Output::Late(slots[0]), Output::Cancel(part)]);
    assert_eq!(loader.answered(part, 0), None);
}

#[test]
fn an_answer_that_nobody_waits_for_is_fresh() {
    let mut loader = loader(Settings::default());
    let (part, slots) = sent(&mut loader, 2, 0);
    loader.cancel(slots[0]);
    assert_eq!(loader.answered(part, 0), Some(Answered { slot: slots[0], is_fresh: true }));
}

#[test]
fn the_time_of_a_part_begins_with_the_call() {
    let mut loader = loader(Settings::default());
    let (part, _) = sent(&mut loader, 1, 10);
    loader.called(part, 14);
    assert_eq!(loader.ended(part, 17).unwrap().time, 3);
    assert_eq!(loader.stats().time, 3);
}
