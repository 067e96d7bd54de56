//! Awaits and synchronous calls that hold back requests which do not need them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Candidate, MAX_CANDIDATES, Search};
use crate::code::Relation;
use crate::event::{How, Id};
use crate::finding::{Finding, Kind};
use crate::place::Site;
use crate::rounds::{Cause, rounds_after};

/// Maximum number of pairs of sites that are compared for a candidate.
const MAX_PAIRS: usize = 200_000;

/// Kind, file and lines of a candidate.
type Place<'a> = (Kind, &'a str, u32, u32);

impl<'a> Search<'a> {
    /// Finds awaits and synchronous calls that hold back requests which do not need them.
    pub(super) fn changes(&self) -> Vec<Finding> {
        let mut candidates: BTreeMap<Place<'a>, Candidate<'a>> = BTreeMap::new();
        let mut relations = HashMap::new();
        for (load, node) in self.timeline.loads.iter().enumerate() {
            let Some(batch) = node.batch.filter(|_| node.how == How::New) else { continue };
            let seen = self.rounds.loads[load];
            let Some(cause) = seen.cause else { continue };
            // Another load or answer decides when the batch is sent.
            if seen.round + 1 < self.rounds.batches[batch] {
                continue;
            }
            let found = match cause {
                Cause::Wait { task, wait, then } => {
                    let awaited = self.timeline.tasks[task].waits[wait].at;
                    let (Some(awaited), Some(then)) = (awaited, then) else { continue };
                    let relation = *relations
                        .entry((awaited, then))
                        .or_insert_with(|| self.code.relation(awaited, then));
                    self.by_wait(relation, (awaited, then), (task, wait))
                }
                Cause::Call { call, then } => self.by_call(call, then),
            };
            let Some((place, candidate)) = found else { continue };
            let known = candidates.entry(place).or_insert(candidate);
            known.loads.push(load);
            match cause {
                Cause::Wait { task, wait, then } => {
                    let awaited = self.timeline.tasks[task].waits[wait].at;
                    known.change.together.extend(awaited.zip(then));
                }
                Cause::Call { call, then } => {
                    let at = self.timeline.calls[call].at;
                    known.change.awaited.extend(at);
                    known
                        .change
                        .together
                        .extend(at.zip(then).filter(|&(at, then)| {
                            self.code.relation(at, then) != Relation::Needed
                        }));
                }
            }
        }
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_by_key(|(_, candidate)| std::cmp::Reverse(candidate.loads.len()));
        candidates.truncate(MAX_CANDIDATES);
        let sites = self.sites_of_awaits();
        candidates
            .into_iter()
            .filter_map(|((kind, ..), mut candidate)| {
                self.complete(kind, &mut candidate, &sites);
                self.evaluate(kind, &candidate)
            })
            .collect()
    }

    fn by_wait(
        &self,
        relation: Relation<'a>,
        (awaited, _): (Id, Id),
        (task, wait): (usize, usize),
    ) -> Option<(Place<'a>, Candidate<'a>)> {
        let name = self.names.awaited(&self.timeline.tasks[task].waits[wait]);
        let _ = awaited;
        match relation {
            Relation::Needed => None,
            Relation::Independent { before, after } => Some((
                (Kind::EarlyAwait, &before.file, before.line, after.line),
                Candidate {
                    place: Some(before),
                    other: Some(after),
                    awaited: name,
                    ..Candidate::default()
                },
            )),
            Relation::Loop { at, line } => Some((
                (Kind::Loop, &at.file, at.line, line),
                Candidate {
                    place: Some(at),
                    in_loop: Some(line),
                    awaited: name,
                    ..Candidate::default()
                },
            )),
        }
    }

    fn by_call(&self, call: usize, then: Option<Id>) -> Option<(Place<'a>, Candidate<'a>)> {
        let node = &self.timeline.calls[call];
        let site = self.code.site(node.at?)?;
        if then.is_some_and(|then| {
            node.at.is_some_and(|at| self.code.relation(at, then) == Relation::Needed)
        }) {
            return None;
        }
        let awaited = node.root.map(|root| format!("`{}`", self.names.function(root)));
        Some((
            (Kind::SynchronousCall, &site.file, site.line, 0),
            Candidate {
                place: Some(site),
                awaited: awaited.unwrap_or_else(|| "another function".to_owned()),
                ..Candidate::default()
            },
        ))
    }

    /// Returns the sites at which tasks have waited or made synchronous calls.
    fn sites_of_awaits(&self) -> BTreeSet<Id> {
        let waits = self.timeline.tasks.iter().flat_map(|task| &task.waits);
        let calls = self.timeline.calls.iter().filter_map(|call| call.at);
        waits.filter_map(|wait| wait.at).chain(calls).collect()
    }

    /// Adds the pairs of sites that the change concerns besides those that decided a round.
    fn complete(&self, kind: Kind, candidate: &mut Candidate<'a>, sites: &BTreeSet<Id>) {
        let thens: HashSet<Id> = candidate.change.together.iter().map(|&(_, then)| then).collect();
        if thens.len().saturating_mul(sites.len()) > MAX_PAIRS {
            return;
        }
        for &then in &thens {
            for &awaited in sites {
                let is_same = match (kind, self.code.relation(awaited, then)) {
                    (Kind::EarlyAwait, Relation::Independent { before, after }) => {
                        let places = (candidate.place, candidate.other);
                        places.0.is_some_and(|place| is_same_line(place, before))
                            && places.1.is_some_and(|place| is_same_line(place, after))
                    }
                    (Kind::Loop | Kind::SynchronousCall, Relation::Loop { line, .. }) => {
                        candidate.in_loop.is_none_or(|of| of == line)
                            && (kind == Kind::Loop || candidate.change.awaited.contains(&awaited))
                    }
                    _ => false,
                };
                if is_same {
                    candidate.change.together.insert((awaited, then));
                }
            }
        }
    }

    /// Returns the finding of a candidate, if it saves a round.
    fn evaluate(&self, kind: Kind, candidate: &Candidate<'a>) -> Option<Finding> {
        let after = rounds_after(self.timeline, &candidate.change);
        let sources: BTreeSet<Id> =
            candidate.loads.iter().map(|&load| self.timeline.loads[load].source).collect();
        let counts = sources.into_iter().map(|source| {
            let now = self.rounds.count_of(source, self.timeline);
            (source, now, after.count_of(source, self.timeline))
        });
        let (source, now, then) = counts.max_by_key(|&(source, now, then)| {
            (now.saturating_sub(then), std::cmp::Reverse(source))
        })?;
        let counts = (self.rounds.count(), after.count());
        if counts.0 <= counts.1 && now <= then {
            return None;
        }
        Some(self.finding(kind, candidate, source, (now, then), counts))
    }
}

fn is_same_line(one: &Site, other: &Site) -> bool {
    (&one.file, one.line) == (&other.file, other.line)
}
