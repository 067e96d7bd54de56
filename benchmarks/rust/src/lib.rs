//! asynq against other loaders, side by side in one run: what a load, a request, a call cost.
#![forbid(unsafe_code)]

mod memory;
mod options;
mod peers;
mod polls;
mod programs;
mod progress;
mod record;
mod rounds;
mod store;
mod threads;
mod workload;

#[cfg(feature = "count")]
mod counts;

use std::hint::black_box;
use std::process::ExitCode;

use clap::Parser;

use crate::options::Options;
use crate::record::Record;

/// The program `asynq-benchmarks`.
pub fn measure() -> ExitCode {
    let options = Options::parse();
    if let Some(peer) = &options.peak {
        println!("{}", memory::peak(peer));
        return ExitCode::SUCCESS;
    }
    let selected = match options.select() {
        Ok(selected) => selected,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Some(runs) = options.runs {
        for (_, _, mut program) in selected.programs() {
            (0..runs).for_each(|_| drop(black_box(program())));
        }
        return ExitCode::SUCCESS;
    }
    let say = |record: Record| {
        if options.json { println!("{}", record.json()) } else { print!("{record}") }
    };
    if options.json {
        selected.peers.iter().for_each(|peer| say(Record::of_peer(peer)));
    }
    for &workload in &selected.workloads {
        let programs: Vec<_> = selected
            .peers
            .iter()
            .filter_map(|&peer| Some((peer, (peer.program)(workload)?)))
            .collect();
        if !programs.is_empty() {
            say(Record::Time(rounds::measure(workload.title(), workload, programs, options.quick)));
        }
    }
    if selected.threads {
        for results in threads::measure(&selected.peers, options.quick) {
            say(Record::Threads(results));
        }
    }
    if selected.memory {
        say(Record::Memory(memory::measure(&selected.peers, options.quick)));
    }
    ExitCode::SUCCESS
}

/// The program `count`, whose allocator has made so many allocations.
#[cfg(feature = "count")]
pub fn count(allocations: impl Fn() -> usize) {
    for record in counts::count(allocations) {
        println!("{}", record.json());
    }
}
