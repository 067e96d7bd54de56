//! Simulated servers: clients that each load a key, wait for its value and some time, and load again.

use std::collections::{BTreeMap, BTreeSet};

use asynq_loader::{Busy, Loader, Output, PartId, Settings, SlotId, Time};

/// Time of a batch of the store, and between two loads of a client.
const STORE: Time = 2_000;
const THINK: Time = 500;

#[derive(Debug)]
struct Outcome {
    batches: usize,
    /// Mean time of a load.
    latency: Time,
}

/// Runs so many clients for so many loads each. The clients begin one after the other.
fn run(settings: Settings, clients: u64, loads: usize) -> Outcome {
    let mut loader = Loader::new(settings);
    let mut arrivals: BTreeSet<(Time, u64)> = (0..clients).map(|n| (n * 130, n)).collect();
    let mut answers: BTreeMap<(Time, usize), PartId> = BTreeMap::new();
    let mut waiting: BTreeMap<SlotId, (u64, Time)> = BTreeMap::new();
    let mut left: Vec<_> = (0..clients).map(|_| loads).collect();
    let (mut total, mut sent) = (0, 0);
    loop {
        let next_arrival = arrivals.first().map(|&(time, _)| time);
        let next_answer = answers.first_key_value().map(|(&(time, _), _)| time);
        let times = [next_arrival, next_answer, loader.round_deadline()];
        let Some(now) = times.into_iter().flatten().min() else { break };
        while let Some(&(time, client)) = arrivals.first()
            && time == now
        {
            arrivals.pop_first();
            waiting.insert(loader.load(now), (client, now));
        }
        if let Some(entry) = answers.first_entry()
            && entry.key().0 == now
        {
            let part = entry.remove();
            for index in 0..loader.slots_of(part).unwrap().len() {
                let slot = loader.answered(part, index).unwrap().slot;
                let (client, since) = waiting.remove(&slot).unwrap();
                total += now - since;
                let left = &mut left[usize::try_from(client).unwrap()];
                *left -= 1;
                if *left > 0 {
                    arrivals.insert((now + THINK + 7 * client, client));
                }
            }
            loader.ended(part, now);
        }
        if loader.round_deadline().is_some_and(|deadline| deadline <= now) {
            loader.round_late(now);
        } else {
            loader.round_settled(now);
        }
        while let Some(output) = loader.next_output() {
            let Output::Claim(part) = output else { panic!("{output:?}") };
            if loader.permit(part, now) {
                sent += 1;
                answers.insert((now + STORE, sent), part);
            }
        }
    }
    Outcome { batches: loader.stats().batches, latency: total / (clients * loads as u64) }
}

fn busy() -> Settings {
    Settings { busy: Some(Busy { in_flight: 2, patience: 5_000 }), ..Settings::default() }
}

#[test]
fn a_client_alone_never_waits_for_a_busy_store() {
    let outcome = run(busy(), 1, 100);
    assert_eq!((outcome.batches, outcome.latency), (100, STORE));
}

#[test]
fn eight_clients_send_a_fraction_of_the_batches_for_a_bounded_wait() {
    let (at_once, waits) = (run(Settings::default(), 8, 100), run(busy(), 8, 100));
    assert_eq!(at_once.latency, STORE);
    assert!(waits.batches * 2 < at_once.batches, "{waits:?} {at_once:?}");
    assert!(waits.latency <= 2 * STORE, "patience bounds the wait: {waits:?}");
}

#[test]
fn fifty_clients_form_large_batches() {
    let outcome = run(busy(), 50, 100);
    assert!(outcome.batches <= 5000 / 8, "{outcome:?}");
    assert!(outcome.latency <= 2 * STORE, "{outcome:?}");
}

#[test]
fn holding_while_requests_overlap_sends_fewer_batches_and_keeps_a_client_alone_fast() {
    let holding = Settings { hold: 1_000, holds_alone: false, ..Settings::default() };
    assert_eq!(run(holding, 1, 100).latency, STORE);
    let (at_once, held) = (run(Settings::default(), 8, 100), run(holding, 8, 100));
    assert!(held.batches * 2 < at_once.batches, "{held:?} {at_once:?}");
    assert!(held.latency <= STORE + 1_000, "{held:?}");
}
