//! Batches that are split, because only some tasks await something before they ask.

use std::collections::{BTreeMap, HashSet};

use super::{Candidate, MAX_CANDIDATES, Search};
use crate::event::{How, Id};
use crate::finding::{Finding, Kind};
use crate::rounds::Cause;
use crate::timeline::Wait;

/// Maximum number of callers of a load that are looked at.
const MAX_CALLERS: usize = 64;

impl<'a> Search<'a> {
    /// Finds functions of which some tasks skip an await, so that they ask in an earlier round than the others.
    pub(super) fn splits(&self) -> Vec<Finding> {
        let mut candidates: BTreeMap<(Id, Id, Id, Id), (Candidate<'a>, u32)> = BTreeMap::new();
        for (load, node) in self.timeline.loads.iter().enumerate() {
            let seen = self.rounds.loads[load];
            let Some(Cause::Wait { task, wait, then: Some(then) }) = seen.cause else { continue };
            if node.how != How::New || node.batch.is_none() {
                continue;
            }
            let waited = &self.timeline.tasks[task].waits[wait];
            let Some(place) = waited.at.and_then(|at| self.code.site(at)) else { continue };
            if place.id == then {
                continue;
            }
            let function = self.timeline.tasks[task].site;
            let key = (function, place.id, then, node.source);
            let (candidate, latest) = candidates.entry(key).or_default();
            candidate.place = Some(place);
            candidate.other = self.code.site(then);
            candidate.awaited = self.names.awaited(waited);
            candidate.loads.push(load);
            *latest = seen.round.max(*latest);
        }
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_by_key(|(_, (candidate, _))| std::cmp::Reverse(candidate.loads.len()));
        candidates.truncate(MAX_CANDIDATES);
        let found = candidates.into_iter().filter_map(|((function, at, then, source), found)| {
            self.split((function, at, then, source), found.0, found.1)
        });
        found.collect()
    }

    fn split(
        &self,
        (function, at, then, source): (Id, Id, Id, Id),
        mut candidate: Candidate<'a>,
        latest: u32,
    ) -> Option<Finding> {
        let mut answers: Vec<_> =
            self.timeline.batches.iter().filter_map(|batch| batch.end).collect();
        answers.sort_unstable();
        // A task may also await one that has nothing to ask for.
        let has_waited = |wait: &Wait| {
            let next = answers.partition_point(|&time| time < wait.start);
            answers.get(next).is_some_and(|&time| wait.end.is_none_or(|end| time <= end))
        };
        let is_early = |&load: &usize| {
            let node = &self.timeline.loads[load];
            node.source == source
                && node.how == How::New
                && self.rounds.loads[load].round < latest
                && self.caller(load, function, then).is_some_and(|task| {
                    let waits = &self.timeline.tasks[task].waits;
                    let mut there = waits.iter().filter(|wait| wait.at == Some(at));
                    !there.any(|wait| wait.start <= node.time && has_waited(wait))
                })
        };
        let early: HashSet<usize> = (0..self.timeline.loads.len()).filter(is_early).collect();
        if early.is_empty() {
            return None;
        }
        let rounds = (0..self.timeline.batches.len())
            .filter(|&batch| {
                let node = &self.timeline.batches[batch];
                let mut new =
                    node.loads.iter().filter(|&&load| self.timeline.loads[load].how == How::New);
                node.source == source && !new.all(|load| early.contains(load))
            })
            .map(|batch| self.rounds.batches[batch]);
        let after = crate::rounds::count(rounds);
        let now = self.rounds.count_of(source, self.timeline);
        if after >= now {
            return None;
        }
        let all = self.rounds.count();
        candidate.loads.extend(early);
        Some(self.finding(Kind::Split, &candidate, source, (now, after), (all, all)))
    }

    /// Returns the task of a function that has asked for a load at `then`, itself or through tasks that it created.
    fn caller(&self, load: usize, function: Id, then: Id) -> Option<usize> {
        let node = &self.timeline.loads[load];
        let (mut task, mut at) = (node.task?, node.at);
        for _ in 0..MAX_CALLERS {
            let caller = &self.timeline.tasks[task];
            if caller.site == function && at == Some(then) {
                return Some(task);
            }
            at = caller.at;
            task = caller.parent?;
        }
        None
    }
}
