//! Costs: memory is reused and given back, and no call depends on the number of keys.

use allocation_counter::measure;
use asynq_loader::{Loader, Output, Settings};

use crate::common::{outputs, sent};

const MANY: usize = if cfg!(miri) { 100 } else { 100_000 };

/// Loads so many keys, sends and answers them.
fn round(loader: &mut Loader, keys: usize) {
    for _ in 0..keys {
        loader.load(0);
    }
    loader.round_ready(0);
    while let Some(output) = loader.next_output() {
        let Output::Claim(part) = output else { panic!("{output:?}") };
        assert!(loader.permit(part, 0));
        for index in 0..loader.slots_of(part).unwrap().len() {
            assert!(loader.answered(part, index).is_some());
        }
        assert!(loader.ended(part, 0).is_some());
    }
}

#[test]
fn a_second_round_allocates_one_list() {
    let mut loader = Loader::default();
    round(&mut loader, MANY);
    assert_eq!(measure(|| round(&mut loader, MANY)).count_total, 1);
}

#[test]
fn a_round_that_stays_in_flight_keeps_only_itself() {
    let mut loader = Loader::default();
    let (stays, _) = sent(&mut loader, 1, 0);
    round(&mut loader, 10);
    let info = measure(|| (0..MANY / 10).for_each(|_| round(&mut loader, 10)));
    assert_eq!(info.bytes_current, 0);
    assert!(loader.ended(stays, 0).is_some());
}

#[test]
fn claims_of_many_parts_are_withdrawn_one_by_one() {
    let mut loader = Loader::new(Settings { max_batch_size: 1, ..Settings::default() });
    let slots: Vec<_> = (0..MANY).map(|_| loader.load(0)).collect();
    loader.round_ready(0);
    assert_eq!(outputs(&mut loader).len(), MANY);
    for slot in slots {
        loader.cancel(slot);
    }
    assert_eq!(outputs(&mut loader).len(), 2 * MANY);
    assert!(loader.is_idle());
}

#[test]
fn a_loader_of_keys_that_were_given_up_is_idle() {
    let mut loader = Loader::default();
    for _ in 0..MANY {
        let slot = loader.load(0);
        loader.cancel(slot);
        assert_eq!(loader.next_output(), Some(Output::Forget(slot)));
    }
    assert!(loader.is_idle());
    let kept = measure(|| {
        let slot = loader.load(0);
        loader.cancel(slot);
    });
    assert_eq!(kept.count_total, 0);
}
