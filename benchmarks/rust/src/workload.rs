//! Workloads: the rows of the table.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use crate::peers::Peer;
use crate::record::{Costs, Results};
use crate::store::{self, Table};

/// One program, written for each of the implementations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Workload {
    /// The names of the authors of so many answers.
    FanOut(usize),
    /// Many requests that fan out, at once; only on threads.
    Requests,
    /// Loads behind different numbers of awaits.
    Uneven,
    /// Loads in functions that other functions call.
    Nested,
    /// Many tasks that ask many sources, one after the other.
    Staggered,
    /// Calls from code that is not async.
    Call,
    /// A load of each of some sources that sleep.
    Overlap,
}

pub(crate) const WORKLOADS: [Workload; 9] = [
    Workload::FanOut(3),
    Workload::FanOut(100),
    Workload::FanOut(10_000),
    Workload::FanOut(1_000_000),
    Workload::Uneven,
    Workload::Nested,
    Workload::Staggered,
    Workload::Call,
    Workload::Overlap,
];

/// Number of requests, and their size.
pub(crate) const REQUESTS: usize = 100;
pub(crate) const REQUEST: usize = 100;
pub(crate) const UNEVEN_TASKS: u64 = 1_000;
pub(crate) const UNEVEN_DEPTHS: u64 = 10;
pub(crate) const NESTED_CALLS: u64 = 10_000;
pub(crate) const WALKERS: u64 = 1_000;
pub(crate) const STEPS: u64 = 20;
pub(crate) const SOURCES: usize = 50;
pub(crate) const SLOW_SOURCES: usize = 5;
/// Time that a batch of a slow source takes.
pub(crate) const SLEEP: Duration = Duration::from_millis(20);
pub(crate) const CALLS: Range<u64> = 0..100;

/// For each walker which of the sources it asks, one after the other, for which key. No key comes
/// twice.
pub(crate) static WAYS: LazyLock<Vec<Vec<(usize, u64)>>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(SOURCES as u64);
    let mut way =
        |walker| (0..STEPS).map(|step| (random.usize(..SOURCES), walker * STEPS + step)).collect();
    (0..WALKERS).map(&mut way).collect()
});

impl Workload {
    pub(crate) fn title(self) -> String {
        match self {
            Self::FanOut(3) => "tiny request".into(),
            Self::FanOut(size) => format!("fan-out {}", thousands(size)),
            Self::Requests => format!("{REQUESTS} requests"),
            Self::Uneven => "uneven depth".into(),
            Self::Nested => "nested calls".into(),
            Self::Staggered => "staggered".into(),
            Self::Call => "synchronous call".into(),
            Self::Overlap => "overlap".into(),
        }
    }

    /// As it is called on the command line.
    pub(crate) fn slug(self) -> String {
        self.title().replace(',', "").replace(' ', "-")
    }

    /// Unit for which its cost is given.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::FanOut(3) => "request",
            Self::Call => "call",
            Self::Overlap => "round",
            _ => "load",
        }
    }

    /// Number of these units in a run.
    pub(crate) fn units(self) -> u64 {
        match self {
            Self::FanOut(3) | Self::Overlap => 1,
            Self::FanOut(size) => 2 * size as u64,
            Self::Requests => (REQUESTS * 2 * REQUEST) as u64,
            Self::Uneven => UNEVEN_TASKS,
            Self::Nested => NESTED_CALLS,
            Self::Staggered => WALKERS * STEPS,
            Self::Call => CALLS.end,
        }
    }

    /// The sources that it asks.
    pub(crate) fn tables(self) -> &'static [Table] {
        match self {
            Self::FanOut(_) | Self::Requests => &[Table::Authors, Table::Names],
            Self::Uneven | Self::Nested => &[Table::Numbers],
            Self::Staggered => &[Table::Numbers; SOURCES],
            Self::Call => &[],
            Self::Overlap => &[Table::Numbers; SLOW_SOURCES],
        }
    }

    /// The fewest batches in which a run can be done. Where that depends on the order of work, as
    /// many as are made when all tasks go from round to round together, and no request shares any.
    pub(crate) fn batches(self) -> u64 {
        match self {
            Self::FanOut(_) => 2,
            Self::Requests => 2 * REQUESTS as u64,
            Self::Uneven | Self::Nested => 1,
            Self::Staggered => rounds_together(),
            Self::Call => 0,
            Self::Overlap => SLOW_SOURCES as u64,
        }
    }

    /// Returns whether fewer batches than [`batches`](Self::batches) are possible.
    pub(crate) fn depends_on_order(self) -> bool {
        matches!(self, Self::Staggered | Self::Requests)
    }

    /// Number of keys that reach the store if it is asked for none twice.
    pub(crate) fn distinct_keys(self) -> u64 {
        match self {
            Self::FanOut(size) => (size + store::distinct_users(size)) as u64,
            Self::Requests => REQUESTS as u64 * Self::FanOut(REQUEST).distinct_keys(),
            Self::Uneven => UNEVEN_TASKS,
            Self::Nested => NESTED_CALLS,
            Self::Staggered => WALKERS * STEPS,
            Self::Call => 0,
            Self::Overlap => SLOW_SOURCES as u64,
        }
    }

    /// Results without costs.
    pub(crate) fn results(self, peers: &[&'static Peer]) -> Results {
        Results {
            title: self.title(),
            about: self.about(),
            unit: self.unit(),
            ideal_batches: self.batches(),
            depends_on_order: self.depends_on_order(),
            peers: peers.iter().map(|peer| Costs::new(peer)).collect(),
        }
    }

    /// Describes the workload in a few sentences.
    fn about(self) -> String {
        match self {
            Self::FanOut(3) => "The names of the authors of 3 answers, by 2 users: each of 3 async \
                                functions loads the author of one answer, then the name of this \
                                user; all are awaited together."
                .to_owned(),
            Self::FanOut(size) => format!(
                "Likewise for {} answers, by {} users.",
                thousands(size),
                thousands(store::distinct_users(size))
            ),
            Self::Requests => String::new(), // `threads` says it
            Self::Uneven => format!(
                "{} async functions do one load each, from the same source, after 0, 1, … {} awaits \
                 that need no load. With asynq such an await is one of an async function that \
                 returns at once; with the others it is `tokio::task::yield_now`, the least that \
                 gives way.",
                thousands(UNEVEN_TASKS.try_into().expect("few")),
                UNEVEN_DEPTHS - 1
            ),
            Self::Nested => format!(
                "{} async functions each await another async function, which does one load. All are \
                 awaited together.",
                thousands(NESTED_CALLS.try_into().expect("few"))
            ),
            Self::Staggered => format!(
                "{} async functions do {STEPS} loads each, one after the other, every load from any \
                 of {SOURCES} sources (the same random ones for all). When all go from round to \
                 round together, each round asks every source once; with asynq the largest batch is \
                 flushed and only its tasks go on, so that they spread over the rounds.",
                thousands(WALKERS.try_into().expect("few"))
            ),
            Self::Call => "A call, from code that is not async, of an async function that returns at \
                           once. With the peers, which have no such thing: `block_on` of its future, \
                           on tokio's current-thread runtime; of the floor, that of `futures`."
                .to_owned(),
            Self::Overlap => format!(
                "A load of each of {SLOW_SOURCES} sources whose batches sleep for {} ms: batches by \
                 hand, which hold the thread one after the other, and loaders that are declared \
                 blocking.",
                SLEEP.as_millis()
            ),
        }
    }

    /// Results that a run must return.
    pub(crate) fn expected(self) -> Vec<u64> {
        let number = |key| Table::Numbers.look_up(key);
        match self {
            Self::FanOut(size) => store::answers(size)
                .map(|answer| Table::Names.look_up(Table::Authors.look_up(answer)))
                .collect(),
            Self::Requests => Self::FanOut(REQUEST).expected().repeat(REQUESTS),
            Self::Uneven => (0..UNEVEN_TASKS).map(number).collect(),
            Self::Nested => (0..NESTED_CALLS).map(number).collect(),
            Self::Staggered => {
                WAYS.iter().map(|way| way.iter().map(|&(_, key)| number(key)).sum()).collect()
            }
            Self::Call => CALLS.map(number).collect(),
            Self::Overlap => (0..SLOW_SOURCES as u64).map(number).collect(),
        }
    }
}

/// The sources that are asked in each step of all ways, added up.
fn rounds_together() -> u64 {
    let in_step = |step: usize| {
        let mut sources: Vec<usize> = WAYS.iter().map(|way| way[step].0).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.len()
    };
    (0..WAYS[0].len()).map(in_step).sum::<usize>() as u64
}

/// 1,000,000 rather than 1000000.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
