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
    peer("asynq", Role::Ours, |workload| pause(ours::program::<Batches>(workload)?)),
    peer("asynq recorded", Role::Form, |workload| record(ours::program::<Batches>(workload)?)),
    peer("asynq loaders", Role::Form, |workload| pause(ours::program::<Loaders>(workload)?)),
    peer("asynq loaders recorded", Role::Form, |workload| {
        record(ours::program::<Loaders>(workload)?)
    }),
    peer("asynq request", Role::Form, |workload| {
        pause(programs::program::<requests::Loaders>(workload)?)
    }),
    peer("asynq request recorded", Role::Form, |workload| {
        record(programs::program::<requests::Loaders>(workload)?)
    }),
];

const fn peer(name: &'static str, role: Role, program: fn(Workload) -> Option<Program>) -> Peer {
    let about = "With the feature `explain`.";
    Peer { name, package: None, role, about, program, on_threads: |_| None }
}

/// Runs a program without a recording.
fn pause(mut program: Program) -> Option<Program> {
    Some(Box::new(move || {
        RECORDING.take();
        program()
    }))
}

/// Runs a program in a recording that goes on from run to run.
fn record(mut program: Program) -> Option<Program> {
    Some(Box::new(move || {
        RECORDING.with_borrow_mut(|recording| {
            let options = || Options { capacity: CAPACITY, ..Options::default() };
            recording.get_or_insert_with(|| explain::record_with(options()));
        });
        program()
    }))
}
