//! Measuring: all take turns in short rounds, and only what they cost in one round is compared.
//!
//! Two runs of one program differ by a tenth and more on a shared machine. That drifts; within a
//! round it hardly does.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::peers::{Peer, Program, Role};
use crate::store;
use crate::workload::Workload;

/// What a workload cost, and in how many batches it was done.
#[derive(Serialize)]
pub(crate) struct Result {
    pub(crate) workload: String,
    pub(crate) unit: &'static str,
    pub(crate) ideal_batches: u64,
    pub(crate) peers: Vec<Costs>,
}

#[derive(Serialize)]
pub(crate) struct Costs {
    pub(crate) peer: &'static str,
    pub(crate) batches: u64,
    /// Nanoseconds a unit.
    pub(crate) of_rounds: Vec<f64>,
}

impl Result {
    /// How many times faster the first implementation is than this one: the median of the rounds,
    /// between the quartiles.
    fn ratio(&self, peer: &Costs) -> [f64; 3] {
        let first = &self.peers[0].of_rounds;
        quartiles(peer.of_rounds.iter().zip(first).map(|(cost, first)| cost / first))
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.workload)?;
        for peer in &self.peers {
            let [_, cost, _] = quartiles(peer.of_rounds.iter().copied());
            let [low, median, high] = self.ratio(peer);
            writeln!(
                f,
                "  {:20} {cost:>12.1} ns a {}   {median:6.2} × ({low:.2} to {high:.2})   \
                 {} batches of {}",
                peer.peer, self.unit, peer.batches, self.ideal_batches
            )?;
        }
        Ok(())
    }
}

/// The lower quartile, the median, and the upper quartile.
fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

struct Runner {
    program: Program,
    /// In a turn.
    runs: u32,
    costs: Costs,
}

/// `progress` is told the round that begins.
pub(crate) fn measure(
    workload: Workload,
    peers: &[&Peer],
    rounds: usize,
    turn: Duration,
    mut progress: impl FnMut(&str),
) -> Result {
    let mut runners = Vec::new();
    for peer in peers {
        progress(&format!("warming up {}", peer.name));
        runners.push(Runner::new(workload, peer, turn));
    }
    for round in 0..rounds {
        progress(&format!("round {} of {rounds}", round + 1));
        // Nobody always goes after the same one.
        let first = round % runners.len();
        for place in 0..runners.len() {
            let place = (first + place) % runners.len();
            runners[place].turn(workload);
        }
    }
    Result {
        workload: workload.title(),
        unit: workload.unit(),
        ideal_batches: workload.batches(),
        peers: runners.into_iter().map(|runner| runner.costs).collect(),
    }
}

impl Runner {
    fn new(workload: Workload, peer: &Peer, turn: Duration) -> Self {
        let mut program = (peer.program)(workload);
        let batches = check(workload, peer, &mut program);
        let begin = Instant::now();
        let mut fastest = timed(&mut program, 1);
        while begin.elapsed() < turn {
            fastest = fastest.min(timed(&mut program, 1));
        }
        let runs = (turn.as_nanos() / fastest.as_nanos().max(1)).max(1);
        Self {
            program,
            runs: u32::try_from(runs).unwrap_or(u32::MAX),
            costs: Costs { peer: peer.name, batches, of_rounds: Vec::new() },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "what is measured is far less precise")]
    fn turn(&mut self, workload: Workload) {
        let time = timed(&mut self.program, self.runs).as_nanos() as f64;
        self.costs.of_rounds.push(time / f64::from(self.runs) / workload.units() as f64);
    }
}

/// One run returns what it should, and ours makes as few batches as there can be.
pub(crate) fn check(workload: Workload, peer: &Peer, program: &mut Program) -> u64 {
    store::take_counts();
    let value = program();
    let (batches, keys) = store::take_counts();
    let (name, title) = (peer.name, workload.title());
    assert!(value == workload.expected(), "{name}: a wrong result of {title}");
    let ideal = workload.batches();
    if peer.role == Role::Ours {
        let right = batches == ideal || workload.depends_on_order() && batches < ideal;
        assert!(right, "{name}: {batches} batches of {title}, where {ideal} are right");
    }
    if batches == ideal && batches > 0 {
        assert_eq!(keys, workload.distinct_keys(), "{name}: asks for keys of {title} twice");
    }
    batches
}

fn timed(program: &mut Program, runs: u32) -> Duration {
    let begin = Instant::now();
    for _ in 0..runs {
        black_box(program());
    }
    begin.elapsed()
}
