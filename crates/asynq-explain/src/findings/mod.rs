//! The search for findings.
//!
//! A candidate is a change of the code at one place. Its rounds are computed as they would be after the change, and it
//! is a finding if some are saved. So what a finding promises is what the same program would do.

mod changes;
mod duplicates;
mod splits;
mod texts;

use crate::code::Code;
use crate::event::Id;
use crate::finding::{Finding, Kind};
use crate::names::Names;
use crate::place::Site;
use crate::rounds::{Change, Rounds};
use crate::timeline::Timeline;

/// Maximum number of candidates of each kind whose rounds are computed.
const MAX_CANDIDATES: usize = 30;

/// Maximum number of tasks that a finding names.
const MAX_TASKS: usize = 100;

/// The search for findings in one recording.
pub(crate) struct Search<'a> {
    pub(crate) timeline: &'a Timeline,
    pub(crate) rounds: &'a Rounds,
    pub(crate) code: &'a Code<'a>,
    pub(crate) names: &'a Names<'a>,
}

/// A change at one place.
#[derive(Default)]
struct Candidate<'a> {
    /// The place to change.
    place: Option<&'a Site>,
    /// The place that asks too late, or the loop.
    other: Option<&'a Site>,
    in_loop: Option<u32>,
    change: Change,
    /// Loads that are late.
    loads: Vec<usize>,
    /// Name of what the place awaits.
    awaited: String,
}

impl<'a> Search<'a> {
    /// Returns the findings, the one that saves most first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = self.changes();
        findings.extend(self.duplicates());
        findings.extend(self.splits());
        findings.sort_by(|one, other| {
            let order = |finding: &Finding| {
                let saved = finding.rounds.saturating_sub(finding.rounds_after);
                let of_source = finding.source_rounds.saturating_sub(finding.source_rounds_after);
                (std::cmp::Reverse(saved), std::cmp::Reverse(of_source), finding.kind, finding.line)
            };
            order(one).cmp(&order(other))
        });
        findings
    }

    fn finding(
        &self,
        kind: Kind,
        candidate: &Candidate<'a>,
        source: Id,
        (source_rounds, source_rounds_after): (u32, u32),
        (rounds, rounds_after): (u32, u32),
    ) -> Finding {
        let place = candidate.place;
        let mut batches: Vec<_> = candidate
            .loads
            .iter()
            .filter(|&&load| self.timeline.loads[load].source == source)
            .filter_map(|&load| self.timeline.loads[load].batch)
            .collect();
        batches.sort_unstable();
        batches.dedup();
        let mut tasks: Vec<_> =
            candidate.loads.iter().filter_map(|&load| self.timeline.loads[load].task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks.truncate(MAX_TASKS);
        let mut finding = Finding {
            kind,
            file: place.map(|place| place.file.clone()).unwrap_or_default(),
            line: place.map(|place| place.line).unwrap_or_default(),
            function: place.map(|place| place.function.clone()).unwrap_or_default(),
            what: String::new(),
            why: String::new(),
            advice: String::new(),
            source: self.names.source(source).to_owned(),
            source_rounds,
            source_rounds_after,
            rounds,
            rounds_after,
            batches,
            tasks,
        };
        self.describe(&mut finding, candidate);
        finding
    }
}
