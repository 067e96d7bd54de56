//! Rounds on a busy server: settling, waiting for the store, and holding while requests overlap.

use asynq_loader::{Busy, Loader, PartId, Settings, Settle};

use crate::common::{calls, load, loader, outputs};

fn busy() -> Loader {
    loader(Settings { busy: Some(Busy { in_flight: 2, patience: 50 }), ..Settings::default() })
}

/// Loads a key and sends it as a part.
fn send(loader: &mut Loader, now: u64) -> PartId {
    loader.load(now);
    loader.round_settled(now);
    let [part] = calls(loader, now)[..] else { panic!("one part") };
    part
}

fn end(loader: &mut Loader, part: PartId, now: u64) {
    loader.answered(part, 0);
    loader.ended(part, now);
}

#[test]
fn a_round_has_settled_when_turns_bring_no_key() {
    let mut loader = loader(Settings { settle: 2, ..Settings::default() });
    let mut count = Settle::default();
    loader.load(0);
    assert!(!loader.turn(&mut count));
    assert!(!loader.turn(&mut count));
    loader.load(0);
    let turns = [(); 3].map(|()| loader.turn(&mut count));
    assert_eq!(turns, [false, false, true]);
}

#[test]
fn a_round_settles_although_each_turn_brings_a_key() {
    let mut loader = loader(Settings { settle: 2, ..Settings::default() });
    let mut count = Settle::default();
    let mut turn = || {
        loader.load(0);
        loader.turn(&mut count)
    };
    assert!(!(0..32).any(|_| turn()));
    assert!(turn());
}

#[test]
fn without_settling_the_first_turn_is_enough() {
    let mut loader = loader(Settings::default());
    loader.load(0);
    assert!(loader.turn(&mut Settle::default()));
}

#[test]
fn each_count_of_turns_is_its_own() {
    let mut loader = loader(Settings { settle: 1, ..Settings::default() });
    loader.load(0);
    let (mut one, mut two) = (Settle::default(), Settle::default());
    assert_eq!([loader.turn(&mut one), loader.turn(&mut two)], [false, false]);
    assert!(loader.turn(&mut one));
}

#[test]
fn a_round_is_sent_while_the_store_is_not_busy() {
    let mut loader = busy();
    send(&mut loader, 0);
    send(&mut loader, 1);
}

#[test]
fn a_round_collects_keys_while_the_store_is_busy() {
    let mut loader = busy();
    let first = send(&mut loader, 0);
    send(&mut loader, 0);
    for now in 1..4 {
        loader.load(now);
        loader.round_settled(now);
        assert_eq!(outputs(&mut loader), []);
    }
    end(&mut loader, first, 5);
    let [part] = calls(&mut loader, 5)[..] else { panic!("one part") };
    assert_eq!(loader.slots_of(part).unwrap().len(), 3);
}

#[test]
fn a_part_of_full_size_does_not_wait_for_a_busy_store() {
    let busy = Some(Busy { in_flight: 1, patience: 50 });
    let mut loader = loader(Settings { busy, max_batch_size: 2, ..Settings::default() });
    send(&mut loader, 0);
    load(&mut loader, 1, 1);
    loader.round_settled(1);
    assert_eq!(outputs(&mut loader), []);
    load(&mut loader, 1, 1);
    assert_eq!(calls(&mut loader, 1).len(), 1);
}

#[test]
fn a_round_waits_at_most_as_long_as_a_part_typically_takes() {
    let mut loader = busy();
    let measured = send(&mut loader, 0);
    end(&mut loader, measured, 20);
    send(&mut loader, 100);
    send(&mut loader, 100);
    loader.load(101);
    loader.round_settled(103);
    assert_eq!(loader.round_deadline(), Some(121));
    loader.round_late(121);
    assert_eq!(calls(&mut loader, 121).len(), 1);
}

#[test]
fn a_round_has_patience_while_the_time_of_a_part_is_unknown() {
    let mut loader = busy();
    send(&mut loader, 0);
    send(&mut loader, 0);
    loader.load(10);
    loader.round_settled(10);
    assert_eq!(loader.round_deadline(), Some(60));
}

#[test]
fn a_part_that_nobody_waits_for_makes_room_for_a_round() {
    let mut loader = busy();
    let slot = loader.load(0);
    loader.round_settled(0);
    calls(&mut loader, 0);
    send(&mut loader, 0);
    loader.load(1);
    loader.round_settled(1);
    loader.cancel(slot);
    let claims = outputs(&mut loader).into_iter();
    assert!(claims.into_iter().any(|output| matches!(output, asynq_loader::Output::Claim(_))));
}

#[test]
fn a_scheduler_that_knows_that_nothing_can_run_does_not_wait() {
    let mut loader = busy();
    send(&mut loader, 0);
    send(&mut loader, 0);
    loader.load(1);
    loader.round_ready(1);
    assert_eq!(calls(&mut loader, 1).len(), 1);
}

fn gathers() -> Loader {
    loader(Settings { hold: 10, holds_alone: false, ..Settings::default() })
}

/// Loads a key for one more request.
fn settle(loader: &mut Loader, now: u64) {
    loader.load(now);
    loader.round_settled(now);
}

/// Sends a round of so many requests, of which all but the first come while another part is in flight.
fn send_together(loader: &mut Loader, requests: usize, now: u64) {
    let alone = send(loader, now);
    for _ in 1..requests {
        settle(loader, now + 1);
    }
    settle(loader, now + 1);
    end(loader, alone, now + 2);
    let late = loader.round_deadline().unwrap_or(now + 2);
    loader.round_late(late);
    let [part] = calls(loader, late)[..] else { panic!("one part") };
    assert_eq!(loader.slots_of(part).unwrap().len(), requests);
    for index in 0..requests {
        loader.answered(part, index).unwrap();
    }
    loader.ended(part, late + 2);
}

#[test]
fn requests_that_come_alone_are_not_held() {
    let mut loader = gathers();
    for now in 0..5 {
        let part = send(&mut loader, now);
        end(&mut loader, part, now);
    }
}

#[test]
fn a_round_waits_for_those_that_could_have_been_sent_with_the_one_in_flight() {
    let mut loader = gathers();
    send(&mut loader, 0);
    settle(&mut loader, 1);
    assert_eq!((outputs(&mut loader), loader.round_deadline()), (vec![], Some(11)));
    loader.round_late(11);
    assert_eq!(calls(&mut loader, 11).len(), 1);
}

#[test]
fn a_round_is_sent_when_as_many_requests_have_come_as_before() {
    let mut loader = gathers();
    send_together(&mut loader, 3, 0);
    settle(&mut loader, 20);
    settle(&mut loader, 21);
    assert_eq!((outputs(&mut loader), loader.round_deadline()), (vec![], Some(30)));
    settle(&mut loader, 22);
    assert_eq!(calls(&mut loader, 22).len(), 1);
}

#[test]
fn a_round_waits_for_fewer_requests_after_some_have_not_come() {
    let mut loader = gathers();
    send_together(&mut loader, 3, 0);
    let waits = (0..4).map(|round| {
        let now = 20 + 20 * round;
        settle(&mut loader, now);
        let late = loader.round_deadline().unwrap_or(now);
        loader.round_late(late);
        let [part] = calls(&mut loader, late)[..] else { panic!("one part") };
        end(&mut loader, part, late + 1);
        late - now
    });
    assert_eq!(waits.collect::<Vec<_>>(), [10, 10, 0, 0]);
}

#[test]
fn nobody_is_expected_after_a_long_time_without_requests() {
    let mut loader = gathers();
    send_together(&mut loader, 3, 0);
    send(&mut loader, 1_000);
}

#[test]
fn a_scheduler_that_knows_that_nothing_can_run_waits_for_no_requests() {
    let mut loader = gathers();
    send_together(&mut loader, 3, 0);
    loader.load(20);
    loader.round_ready(20);
    assert_eq!(calls(&mut loader, 20).len(), 1);
}

#[test]
fn a_round_of_full_size_waits_for_no_requests() {
    let mut loader = gathers();
    send_together(&mut loader, 3, 0);
    loader.set(Settings { max_batch_size: 1, ..*loader.settings() });
    settle(&mut loader, 20);
    assert_eq!(calls(&mut loader, 20).len(), 1);
}

#[test]
fn a_round_waits_for_requests_after_the_store_was_busy() {
    let busy = Some(Busy { in_flight: 1, patience: 50 });
    let mut loader = loader(Settings { hold: 10, holds_alone: false, busy, ..Settings::default() });
    let first = send(&mut loader, 0);
    settle(&mut loader, 1);
    end(&mut loader, first, 3);
    assert_eq!((outputs(&mut loader), loader.round_deadline()), (vec![], Some(17)));
    settle(&mut loader, 4);
    assert_eq!(calls(&mut loader, 4).len(), 1);
}

#[test]
fn a_round_that_is_late_when_the_store_is_free_is_sent() {
    let busy = Some(Busy { in_flight: 1, patience: 50 });
    let mut loader = loader(Settings { hold: 10, holds_alone: false, busy, ..Settings::default() });
    let first = send(&mut loader, 0);
    settle(&mut loader, 1);
    end(&mut loader, first, 40);
    assert_eq!(calls(&mut loader, 40).len(), 1);
}
