//! The programs on asynq while they are recorded, beside the same ones while they are not.

use std::cell::RefCell;

use asynq::explain::{self, Options, Why};

use super::ours::{self, Batches, Loaders};
use super::{Peer, Program, Role, requests};
use crate::programs;
use crate::workload::Workload;

/// Number of events that a recording keeps.
const CAPACITY: usize = 100_000;

thread_local! {
    static RECORDING: RefCell<Option<Why>> = const { RefCell::new(None) };
}

pub(super) static PEERS: [Peer; 6] = [
    peer("asynq", Role::Ours, |workload| ours::program::<Batches>(workload).map(pause)),
    peer("asynq recorded", Role::Form, |workload| ours::program::<Batches>(workload).map(record)),
    peer("asynq loaders", Role::Form, |workload| ours::program::<Loaders>(workload).map(pause)),
    peer("asynq loaders recorded", Role::Form, |workload| {
        ours::program::<Loaders>(workload).map(record)
    }),
    peer("asynq request", Role::Form, |workload| {
        programs::program::<requests::Loaders>(workload).map(pause)
    }),
    peer("asynq request recorded", Role::Form, |workload| {
        programs::program::<requests::Loaders>(workload).map(record)
    }),
];

const fn peer(name: &'static str, role: Role, program: fn(Workload) -> Option<Program>) -> Peer {
    let about = "With the feature `explain`.";
    Peer { name, package: None, role, about, program, on_threads: |_| None }
}

/// Runs a program without a recording.
fn pause(mut program: Program) -> Program {
    Box::new(move || {
        RECORDING.take();
        program()
    })
}

/// Runs a program in a recording that goes on from run to run.
fn record(mut program: Program) -> Program {
    Box::new(move || {
        RECORDING.with_borrow_mut(|recording| {
            let options = || Options { capacity: CAPACITY, ..Options::default() };
            recording.get_or_insert_with(|| explain::record_with(options()));
        });
        program()
    })
}
