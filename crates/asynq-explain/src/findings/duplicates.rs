//! Keys that are sent in several rounds.

use std::collections::{BTreeMap, HashMap};

use super::{Candidate, MAX_CANDIDATES, Search};
use crate::event::{How, Id};
use crate::finding::{Finding, Kind};
use crate::place::Site;
use crate::rounds::rounds_after;

/// Maximum number of callers of a load that are looked at.
const MAX_CALLERS: usize = 64;

impl<'a> Search<'a> {
    /// Finds keys that were sent again in a later round for the same outermost call.
    pub(super) fn duplicates(&self) -> Vec<Finding> {
        let roots = self.roots();
        let mut first = HashMap::new();
        let mut candidates: BTreeMap<(&str, u32), Candidate<'a>> = BTreeMap::new();
        for (load, node) in self.timeline.loads.iter().enumerate() {
            let (Some(batch), Some(key), How::New) = (node.batch, node.key, node.how) else {
                continue;
            };
            let (Some(task), Some(site)) = (node.task, node.at.and_then(|at| self.code.site(at)))
            else {
                continue;
            };
            let before = *first.entry((roots[task], node.source, key)).or_insert(load);
            let is_later = before != load
                && self.timeline.loads[before]
                    .batch
                    .is_some_and(|before| self.rounds.batches[before] < self.rounds.batches[batch]);
            if !is_later {
                continue;
            }
            let (first, again) = self.places(before, load);
            let place = again.unwrap_or(site);
            let candidate = candidates.entry((&place.file, place.line)).or_default();
            candidate.place = Some(place);
            candidate.other = first;
            candidate.loads.push(load);
            candidate.change.cached.insert(load);
        }
        let mut candidates: Vec<_> = candidates.into_values().collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.loads.len()));
        candidates.truncate(MAX_CANDIDATES);
        let finding = |candidate: Candidate<'a>| {
            let after = rounds_after(self.timeline, &candidate.change);
            let source = self.timeline.loads[candidate.loads[0]].source;
            let of_source = (
                self.rounds.count_of(source, self.timeline),
                after.count_of(source, self.timeline),
            );
            let counts = (self.rounds.count(), after.count());
            self.finding(Kind::Duplicate, &candidate, source, of_source, counts)
        };
        candidates.into_iter().map(finding).collect()
    }

    /// Returns the innermost places by which two loads differ: where they were asked for or, if a function has asked
    /// for both, where that was called.
    fn places(&self, one: usize, other: usize) -> (Option<&'a Site>, Option<&'a Site>) {
        let mut places = self.callers(one).zip(self.callers(other));
        let innermost = self.timeline.loads[one].at.zip(self.timeline.loads[other].at);
        let (one, other) = places.find(|(one, other)| one != other).or(innermost).unzip();
        (one.and_then(|at| self.code.site(at)), other.and_then(|at| self.code.site(at)))
    }

    /// Iterates over the sites by which a load was asked for, the innermost first.
    fn callers(&self, load: usize) -> impl Iterator<Item = Id> {
        let node = &self.timeline.loads[load];
        let callers = std::iter::successors(node.task, |&task| self.timeline.tasks[task].parent);
        // Creators come before the tasks that they create, so this ends.
        let calls = callers.map_while(|task| self.timeline.tasks[task].at);
        node.at.into_iter().chain(calls).take(MAX_CALLERS)
    }

    /// Returns the outermost task of each task.
    fn roots(&self) -> Vec<usize> {
        let mut roots: Vec<usize> = Vec::with_capacity(self.timeline.tasks.len());
        for (task, node) in self.timeline.tasks.iter().enumerate() {
            // Creators come before the tasks that they create.
            let parent = node.parent.or(node.called_by).filter(|&parent| parent < task);
            roots.push(parent.map_or(task, |parent| roots[parent]));
        }
        roots
    }
}
