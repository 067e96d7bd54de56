//! asynq against other loaders, side by side in one run: what a load, a request, a call cost.
#![forbid(unsafe_code)]

mod peers;
mod programs;
mod rounds;
mod store;
mod workload;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::peers::{PEERS, Peer};
use crate::workload::{WORKLOADS, Workload};

/// How long a turn takes, unless one run takes longer.
const TURN: Duration = Duration::from_millis(50);
const ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 3;

/// Measures asynq against other loaders: all take turns in short rounds, in one process.
///
/// The program that writes the table, `python3 benchmarks/rust/run.py`, runs this one.
#[derive(Parser)]
struct Options {
    /// Only workloads and implementations whose names have one of these words in them
    #[arg(long, num_args = 1.., value_name = "WORD")]
    only: Vec<String>,

    /// 3 rounds instead of 15
    #[arg(long)]
    quick: bool,

    /// A line of JSON for each workload, instead of text
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let (workloads, peers) = match options.select() {
        Ok(selected) => selected,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let rounds = if options.quick { QUICK_ROUNDS } else { ROUNDS };
    let live = std::io::stderr().is_terminal();
    for workload in workloads {
        let title = workload.title();
        let result = rounds::measure(workload, &peers, rounds, TURN, |what| {
            if live {
                eprint!("\r\x1b[K{title}: {what}");
            }
        });
        if live {
            eprint!("\r\x1b[K");
        }
        if options.json {
            println!("{}", serde_json::to_string(&result).expect("plain data"));
        } else {
            print!("{result}");
        }
    }
    ExitCode::SUCCESS
}

impl Options {
    /// The words of `--only` are for workloads or for implementations; no word for one of these
    /// means all of them.
    fn select(&self) -> Result<(Vec<Workload>, Vec<&'static Peer>), String> {
        let workloads: Vec<_> = WORKLOADS.iter().map(|&one| (one, one.slug())).collect();
        let peers: Vec<_> = PEERS.iter().map(|one| (one, one.slug())).collect();
        let names: Vec<_> =
            workloads.iter().map(|one| &*one.1).chain(peers.iter().map(|one| &*one.1)).collect();
        for word in &self.only {
            if !names.iter().any(|name| name.contains(word)) {
                return Err(format!("no name has {word:?} in it; there are: {}", names.join(", ")));
            }
        }
        Ok((choose(&workloads, &self.only), choose(&peers, &self.only)))
    }
}

/// Those whose name has one of the words in it; all of them if there are none.
fn choose<T: Copy>(things: &[(T, String)], words: &[String]) -> Vec<T> {
    let chosen: Vec<T> = things
        .iter()
        .filter(|(_, name)| words.iter().any(|word| name.contains(word)))
        .map(|&(thing, _)| thing)
        .collect();
    if chosen.is_empty() { things.iter().map(|&(thing, _)| thing).collect() } else { chosen }
}
