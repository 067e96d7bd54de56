//! The command line.

use clap::Parser;

use crate::peers::{self, Peer, Program};
use crate::workload::{WORKLOADS, Workload};

/// Name of [`Options::peak`] on the command line.
pub(crate) const PEAK: &str = "--peak";

const MEMORY: &str = "peak-memory";
const THREADS: &str = "threads";

/// Measures asynq against other loaders: all take turns in short rounds, in one process.
///
/// The ratios say how many times faster the first of the implementations is than each of the
/// others: the median of the rounds, in brackets the quartiles. `python3 benchmarks/rust/run.py`
/// runs this and writes the table; allocations and polls are counted by another program, `cargo run
/// --release --features count --bin count`.
#[derive(Parser)]
pub(crate) struct Options {
    /// Only measurements and implementations whose names have one of these words in them; no word
    /// for one of the two means all of it (`--only fan-out ours async_dataloader floor`)
    #[arg(long, num_args = 1.., value_name = "WORD")]
    only: Vec<String>,

    /// A few rounds
    #[arg(long)]
    pub(crate) quick: bool,

    /// A line of JSON for each result, instead of text
    #[arg(long)]
    pub(crate) json: bool,

    /// Only runs each of the programs so often: for a profiler. `instructions.py` counts instructions by it
    #[arg(long, value_name = "TIMES")]
    pub(crate) runs: Option<u32>,

    /// The bytes that one implementation needs at its peak: what `peak-memory` runs in fresh
    /// processes
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) peak: Option<String>,
}

pub(crate) struct Selected {
    pub(crate) peers: Vec<&'static Peer>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) threads: bool,
    pub(crate) memory: bool,
}

#[derive(Clone, Copy)]
enum Measurement {
    Time(Workload),
    Threads,
    Memory,
}

impl Selected {
    /// Iterates over the programs of the workloads that are selected.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (Workload, &'static Peer, Program)> {
        self.workloads.iter().flat_map(|&workload| {
            let program =
                move |&peer: &&'static Peer| Some((workload, peer, (peer.program)(workload)?));
            self.peers.iter().filter_map(program)
        })
    }
}

impl Options {
    /// Returns what is to be measured, or says which words of `--only` are wrong.
    pub(crate) fn select(&self) -> Result<Selected, String> {
        let measurements: Vec<_> = WORKLOADS
            .iter()
            .map(|&workload| (Measurement::Time(workload), workload.slug()))
            .chain([
                (Measurement::Threads, THREADS.to_owned()),
                (Measurement::Memory, MEMORY.to_owned()),
            ])
            .collect();
        let peers: Vec<_> = peers::peers().iter().map(|peer| (peer, peer.slug())).collect();
        let names: Vec<&str> = measurements
            .iter()
            .map(|(_, name)| &**name)
            .chain(peers.iter().map(|(_, name)| &**name))
            .collect();
        for word in &self.only {
            if !names.iter().any(|name| name.contains(word)) {
                return Err(format!("no name has {word:?} in it; there are: {}", names.join(", ")));
            }
        }
        let chosen = choose(&measurements, &self.only);
        Ok(Selected {
            peers: choose(&peers, &self.only),
            workloads: chosen
                .iter()
                .filter_map(|measurement| match measurement {
                    Measurement::Time(workload) => Some(*workload),
                    _ => None,
                })
                .collect(),
            threads: chosen.iter().any(|one| matches!(one, Measurement::Threads)),
            memory: chosen.iter().any(|one| matches!(one, Measurement::Memory)),
        })
    }
}

/// Returns the things whose name is one of the words, or has a word in it that is no name; all of them if there are no
/// words.
fn choose<T: Copy>(things: &[(T, String)], words: &[String]) -> Vec<T> {
    let all = || things.iter().map(|&(thing, _)| thing).collect();
    let is_name = |word: &String| things.iter().any(|(_, name)| name == word);
    let chosen: Vec<T> = things
        .iter()
        .filter(|(_, name)| {
            words.iter().any(|word| name == word || !is_name(word) && name.contains(word))
        })
        .map(|&(thing, _)| thing)
        .collect();
    if chosen.is_empty() { all() } else { chosen }
}
