//! Allocations and polls.

use crate::peers::{Peer, peers};
use crate::polls;
use crate::record::Record;
use crate::rounds::check;
use crate::workload::{WORKLOADS, Workload};

/// Counts what one run does, for each implementation.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn count(allocations: impl Fn() -> usize) -> Vec<Record> {
    let peers: Vec<&Peer> = peers().iter().collect();
    let mut records = Vec::new();
    for workload in WORKLOADS.into_iter().filter(counts) {
        let (mut made, mut polled) = (workload.results(&peers), workload.results(&peers));
        for (place, peer) in peers.iter().enumerate() {
            let (allocations, again) = one_run(workload, peer, &allocations);
            made.peers[place].of_rounds.push(allocations as f64 / workload.units() as f64);
            if let Workload::FanOut(size) = workload {
                polled.peers[place].of_rounds.push(1.0 + again as f64 / size as f64);
            }
        }
        records.push(Record::Allocations(made));
        if let Workload::FanOut(_) = workload {
            polled.unit = "task";
            records.push(Record::Polls(polled));
        }
    }
    records
}

/// The largest fan-out does the same as a smaller one, and sleeping needs no memory.
fn counts(workload: &Workload) -> bool {
    !matches!(workload, Workload::FanOut(1_000_000) | Workload::Overlap)
}

fn one_run(workload: Workload, peer: &Peer, allocations: &impl Fn() -> usize) -> (u64, u64) {
    let mut program = (peer.program)(workload).expect("all do this workload");
    // What is allocated once, and kept, is not counted.
    check(workload, peer, &mut program);
    polls::take_again();
    let before = allocations();
    drop(program());
    ((allocations() - before) as u64, polls::take_again())
}
