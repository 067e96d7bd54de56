//! Measuring: all take turns in short rounds, and only what they cost in one round is compared.
//!
//! Two runs of one program differ by a tenth and more on a shared machine. That drifts; within a
//! round it hardly does.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::peers::{Peer, Program, Role};
use crate::progress::Progress;
use crate::record::{Costs, Results};
use crate::store;
use crate::workload::Workload;

/// Length of a turn, unless one run takes longer.
const TURN: Duration = Duration::from_millis(50);

const ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 3;
/// Length of a run from which on there are fewer rounds.
const LONG: Duration = Duration::from_millis(500);
const LONG_ROUNDS: usize = 5;
const QUICK_LONG_ROUNDS: usize = 1;

struct Runner {
    peer: &'static Peer,
    program: Program,
    /// Time of one run.
    once: Duration,
    /// In a turn.
    runs: u32,
    costs: Costs,
}

/// Runs one program of each peer, again and again. All of them do the workload.
pub(crate) fn measure(
    title: String,
    workload: Workload,
    programs: Vec<(&'static Peer, Program)>,
    quick: bool,
) -> Results {
    let progress = Progress::new(title.clone());
    let mut runners: Vec<Runner> = programs
        .into_iter()
        .map(|(peer, program)| {
            progress.tell(&format!("warming up {}", peer.name));
            Runner::new(workload, peer, program)
        })
        .collect();
    let long = runners.iter().any(|runner| runner.once > LONG);
    let rounds = match (long, quick) {
        (false, false) => ROUNDS,
        (false, true) => QUICK_ROUNDS,
        (true, false) => LONG_ROUNDS,
        (true, true) => QUICK_LONG_ROUNDS,
    };
    for round in 0..rounds {
        progress.tell(&format!("round {} of {rounds}", round + 1));
        // Nobody always goes after the same one.
        for place in 0..runners.len() {
            let place = (round + place) % runners.len();
            runners[place].turn(workload);
        }
    }
    let peers = runners.into_iter().map(|runner| runner.costs).collect();
    Results { title, peers, ..workload.results(&[]) }
}

impl Runner {
    fn new(workload: Workload, peer: &'static Peer, mut program: Program) -> Self {
        let begin = Instant::now();
        check(workload, peer, &mut program);
        let mut once = begin.elapsed();
        if once < LONG {
            // That was a cold run, which may have made the tables too.
            let begin = Instant::now();
            once = timed(&mut program, 1);
            while begin.elapsed() < TURN {
                once = once.min(timed(&mut program, 1));
            }
        }
        let runs = (TURN.as_nanos() / once.as_nanos().max(1)).max(1);
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        Self { peer, program, once, runs, costs: Costs::new(peer) }
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn turn(&mut self, workload: Workload) {
        store::take_counts();
        let time = timed(&mut self.program, self.runs);
        let batches = store::take_counts().batches as f64 / f64::from(self.runs);
        assert!(
            self.peer.role != Role::Ours
                || workload.depends_on_order()
                || (batches - workload.batches() as f64).abs() < f64::EPSILON,
            "{}: {batches} batches of {}, on average of a turn",
            self.peer.name,
            workload.title()
        );
        let units = f64::from(self.runs) * workload.units() as f64;
        self.costs.of_rounds.push(time.as_nanos() as f64 / units);
        self.costs.batches.push(batches);
    }
}

/// One run returns what it should, and ours makes as few batches as there can be.
pub(crate) fn check(workload: Workload, peer: &Peer, program: &mut Program) {
    store::take_counts();
    let value = program();
    let made = store::take_counts();
    let (name, title) = (peer.name, workload.title());
    assert!(value == workload.expected(), "{name}: a wrong result of {title}");
    let (batches, ideal) = (made.batches, workload.batches());
    if peer.role == Role::Ours {
        let right = batches == ideal || workload.depends_on_order() && batches < ideal;
        assert!(right, "{name}: {batches} batches of {title}, where {ideal} are right");
    }
    if batches == ideal && batches > 0 {
        let distinct = workload.distinct_keys();
        assert_eq!(made.keys, distinct, "{name}: asks for keys of {title} twice");
    }
}

fn timed(program: &mut Program, runs: u32) -> Duration {
    let begin = Instant::now();
    for _ in 0..runs {
        black_box(program());
    }
    begin.elapsed()
}
