//! Bounded waiting: full parts, `max_delay` and `hold`.

use asynq_loader::{Output, Settings};

use crate::common::{calls, load, loader, outputs};

const BOUNDED: Settings = Settings {
    max_batch_size: 3,
    timeout: None,
    max_delay: Some(10),
    hold: 0,
    sends_unawaited: false,
    holds_alone: true,
    settle: 0,
    busy: None,
};

#[test]
fn without_a_bound_a_round_is_sent_when_it_is_ready() {
    let mut loader = loader(Settings { max_delay: None, ..BOUNDED });
    load(&mut loader, 7, 0);
    assert_eq!((outputs(&mut loader), loader.round_deadline()), (vec![], None));
    loader.round_ready(0);
    assert_eq!(calls(&mut loader, 0).len(), 3);
}

#[test]
fn a_full_part_is_sent_at_once() {
    let mut loader = loader(BOUNDED);
    load(&mut loader, 7, 0);
    let calls = calls(&mut loader, 0);
    let sizes: Vec<_> = calls.iter().map(|&part| loader.slots_of(part).unwrap().len()).collect();
    assert_eq!((sizes, loader.unsent()), (vec![3, 3], 1));
}

#[test]
fn a_round_is_sent_when_its_first_key_has_waited() {
    let mut loader = loader(BOUNDED);
    loader.load(1);
    loader.load(5);
    assert_eq!(loader.round_deadline(), Some(11));
    loader.round_late(10);
    assert_eq!(outputs(&mut loader), []);
    loader.round_late(11);
    assert_eq!(calls(&mut loader, 11).len(), 1);
    assert_eq!(loader.round_deadline(), None);
}

#[test]
fn a_key_that_is_given_up_does_not_count_for_the_wait() {
    let mut loader = loader(BOUNDED);
    let first = loader.load(1);
    loader.load(5);
    loader.cancel(first);
    assert_eq!(loader.round_deadline(), Some(15));
}

#[test]
fn the_keys_behind_a_full_part_wait_from_their_own_arrival() {
    let mut loader = loader(BOUNDED);
    load(&mut loader, 2, 1);
    load(&mut loader, 2, 5);
    assert_eq!(calls(&mut loader, 5).len(), 1);
    assert_eq!(loader.round_deadline(), Some(15));
}

#[test]
fn a_round_that_waits_for_a_permit_has_no_deadline() {
    let mut loader = loader(BOUNDED);
    loader.load(1);
    loader.round_ready(1);
    assert!(matches!(outputs(&mut loader)[..], [Output::Claim(_)]));
    assert_eq!(loader.round_deadline(), None);
}

#[test]
fn a_held_round_stays_open_for_others() {
    let mut loader = loader(Settings { hold: 4, max_delay: None, ..BOUNDED });
    loader.load(1);
    loader.round_ready(2);
    assert_eq!((outputs(&mut loader), loader.round_deadline()), (vec![], Some(5)));
    loader.load(4);
    loader.round_late(5);
    let [part] = calls(&mut loader, 5)[..] else { panic!("one part") };
    assert_eq!(loader.slots_of(part).unwrap().len(), 2);
}

#[test]
fn a_held_round_is_sent_when_it_fills_a_part() {
    let mut loader = loader(Settings { hold: 4, max_delay: None, ..BOUNDED });
    loader.load(1);
    loader.round_ready(2);
    load(&mut loader, 2, 2);
    assert_eq!(calls(&mut loader, 2).len(), 1);
}

#[test]
fn a_round_is_not_held_longer_than_its_first_key_may_wait() {
    let mut loader = loader(Settings { hold: 4, ..BOUNDED });
    loader.load(1);
    loader.round_ready(7);
    assert_eq!(calls(&mut loader, 7).len(), 1);
}

#[test]
fn a_key_that_is_held_can_be_late() {
    let mut loader = loader(Settings { hold: 8, max_delay: None, timeout: Some(4), ..BOUNDED });
    let late = loader.load(1);
    loader.round_ready(1);
    let in_time = loader.load(3);
    loader.round_ready(3);
    assert_eq!(loader.round_deadline(), Some(5));
    loader.round_late(5);
    assert_eq!(outputs(&mut loader), [Output::Late(late)]);
    loader.round_late(7);
    assert_eq!(outputs(&mut loader), [Output::Late(in_time)]);
    assert_eq!((loader.round_deadline(), loader.is_idle()), (None, true));
}

#[test]
fn the_next_round_is_held_anew() {
    let mut loader = loader(Settings { hold: 4, max_delay: None, ..BOUNDED });
    loader.load(1);
    loader.round_ready(5);
    assert_eq!(calls(&mut loader, 5).len(), 1);
    loader.load(6);
    assert_eq!(loader.round_deadline(), None, "it is not ready");
    loader.round_ready(6);
    assert_eq!(loader.round_deadline(), Some(10));
}

#[test]
fn a_part_of_no_keys_is_a_part_of_one() {
    let mut loader = loader(Settings { max_batch_size: 0, ..Settings::default() });
    load(&mut loader, 2, 0);
    loader.round_ready(0);
    assert_eq!(calls(&mut loader, 0).len(), 2);
}
