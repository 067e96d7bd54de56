//! The explanation of a recording: its tasks, loads, batches and rounds, and what to change.

use crate::code::Code;
use crate::critical_path::{Link, critical_path};
use crate::finding::Finding;
use crate::findings::Search;
use crate::names::Names;
use crate::recording::Recording;
use crate::rounds::rounds;
use crate::timeline::{Batch, Load, Task, Timeline};

/// Explanation of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// Number of rounds.
    pub rounds: u32,
    /// Number of rounds of each source, in the order of [`Recording::sources`](crate::Recording::sources).
    pub source_rounds: Vec<u32>,
    /// Batches, in the order in which they were sent.
    pub batches: Vec<Batch>,
    /// Tasks, in the order in which they were requested.
    pub tasks: Vec<Task>,
    /// Loads, in order.
    pub loads: Vec<Load>,
    /// The chain of batches that decided the latency, the first one first.
    pub critical_path: Vec<Link>,
    /// Faults, the one that costs most first.
    pub findings: Vec<Finding>,
}

impl Explanation {
    /// Explains a recording.
    #[must_use]
    pub fn of(recording: &Recording) -> Self {
        let mut timeline = Timeline::of(recording);
        let code = Code::of(recording);
        timeline.leave_plain_functions(|asked, awaited| code.asked_at(asked, awaited));
        let rounds = rounds(&timeline);
        let names = Names::new(recording, &timeline, &code);
        let critical_path = critical_path(&timeline, &rounds, &code, &names);
        let findings =
            Search { timeline: &timeline, rounds: &rounds, code: &code, names: &names }.findings();
        let sources = recording.sources.iter();
        let source_rounds = sources.map(|source| rounds.count_of(source.id, &timeline)).collect();
        drop(names);
        for (batch, &round) in timeline.batches.iter_mut().zip(&rounds.batches) {
            batch.round = round;
        }
        let Timeline { tasks, loads, batches, .. } = timeline;
        Self {
            rounds: rounds.count(),
            source_rounds,
            batches,
            tasks,
            loads,
            critical_path,
            findings,
        }
    }
}
