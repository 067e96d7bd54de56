//! Memory: of fresh processes, since what was once in use is used again. Linux only.

use std::process::{Command, Stdio};
use std::{env, fs};

use crate::options::PEAK;
use crate::peers::{Peer, peers};
use crate::progress::Progress;
use crate::record::{Costs, Results};
use crate::rounds::check;
use crate::workload::Workload;

const WORKLOAD: Workload = Workload::FanOut(1_000_000);
const ROUNDS: usize = 3;
const QUICK_ROUNDS: usize = 1;

pub(crate) fn measure(peers: &[&'static Peer], quick: bool) -> Results {
    let rounds = if quick { QUICK_ROUNDS } else { ROUNDS };
    let mut results = WORKLOAD.results(peers);
    "peak memory".clone_into(&mut results.title);
    results.unit = "run";
    results.about = format!(
        "How much more memory of a fresh process has been resident in one run of {} than before it \
         (`VmHWM` and `VmRSS`), median of {rounds}.",
        WORKLOAD.title()
    );
    let progress = Progress::new(results.title.clone());
    for round in 1..=rounds {
        for Costs { peer, of_rounds, .. } in &mut results.peers {
            progress.tell(&format!("round {round} of {rounds}: {peer}"));
            of_rounds.push(in_fresh_process(peer));
        }
    }
    results
}

fn in_fresh_process(peer: &str) -> f64 {
    let this = env::current_exe().expect("this program has a path");
    let output = Command::new(this)
        .args([PEAK, peer])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().unwrap_or_else(|_| panic!("{peer}: no peak of memory, {}", output.status))
}

/// Measures how many more bytes of this process are resident in one run than before it.
pub(crate) fn peak(peer: &str) -> u64 {
    let peer = peers().iter().find(|other| other.name == peer).expect("one of the names");
    let mut program = (peer.program)(WORKLOAD).expect("all do this workload");
    // Makes the tables, which are the same for all.
    drop(WORKLOAD.expected());
    let before = status("VmRSS:");
    check(WORKLOAD, peer, &mut program);
    status("VmHWM:").saturating_sub(before)
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says what is resident");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a line for it");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
    1_024 * kilobytes
}
