//! The search for findings.
//!
//! A candidate is a change of the code at one place. Its rounds are computed as they would be after the change, and it is a
//! finding if some are saved. So what a finding promises is what the same program would do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::code::{Code, Relation};
use crate::event::{How, Id};
use crate::finding::{Finding, Kind};
use crate::names::Names;
use crate::place::Site;
use crate::rounds::{Cause, Change, Rounds, rounds_after};
use crate::timeline::{Timeline, Wait};

/// Maximum number of candidates of each kind whose rounds are computed.
const MAX_CANDIDATES: usize = 30;

/// Maximum number of tasks that a finding names.
const MAX_TASKS: usize = 100;

/// Maximum number of callers of a load that are looked at.
const MAX_CALLERS: usize = 64;

/// Maximum number of pairs of sites that are compared for a candidate.
const MAX_PAIRS: usize = 200_000;

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

/// Kind, file and lines of a candidate.
type Place<'a> = (Kind, &'a str, u32, u32);

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

    /// Finds awaits and synchronous calls that hold back requests which do not need them.
    fn changes(&self) -> Vec<Finding> {
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

    /// Finds keys that were sent again in a later round for the same outermost call.
    fn duplicates(&self) -> Vec<Finding> {
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

    /// Returns the innermost places by which two loads differ: where they were asked for or, if a function has asked for
    /// both, where that was called.
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

    /// Finds functions of which some tasks skip an await, so that they ask in an earlier round than the others.
    fn splits(&self) -> Vec<Finding> {
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

    /// Sets the texts of a finding.
    fn describe(&self, finding: &mut Finding, candidate: &Candidate<'a>) {
        let Finding { function, source, file, .. } = &*finding;
        let awaited = &candidate.awaited;
        let rust = self.names.is_rust();
        let place = |line: u32, other: &str| {
            if other == file { format!("line {line}") } else { format!("{other}:{line}") }
        };
        let other = candidate.other.map(|other| place(other.line, &other.file));
        let other = other.unwrap_or_default();
        let saving = saving(finding);
        let sent = finding.batches.len();
        let (what, why, advice) = match finding.kind {
            Kind::Loop => {
                let line = candidate.in_loop.unwrap_or_default();
                (
                    format!(
                        "`{function}` asks `{source}` once in each turn of the loop at line {line}"
                    ),
                    format!(
                        "Each turn awaits {awaited} before the next one asks, although no turn needs the answer of another"
                    ),
                    if rust {
                        format!("Await all turns together, by `all(…)` or `load_many(…)`: {saving}")
                    } else {
                        format!(
                            "Await all turns together, by `yield [… for …]` or `asynq.gather(…)`: {saving}"
                        )
                    },
                )
            }
            Kind::SynchronousCall => (
                format!("`{function}` calls {awaited} synchronously inside a task"),
                format!(
                    "The call sends what it needs from `{source}` at once, and no other task can run until it returns: {} are sent one after the other",
                    requests(sent + 1)
                ),
                if rust {
                    format!("Await the call, `f::asynq(…).await`: {saving}")
                } else {
                    format!("Await the call, `yield f.asynq(…)`: {saving}")
                },
            ),
            Kind::EarlyAwait => (
                format!("`{function}` awaits {awaited} before it asks for `{source}` at {other}"),
                format!(
                    "What is asked for at {other} does not need the value of {awaited}, and went out a round late"
                ),
                if rust {
                    format!("Await both together, by `all((…, …))`: {saving}")
                } else {
                    format!("Await both together, by `yield (…, …)` or `asynq.gather(…)`: {saving}")
                },
            ),
            Kind::Split => (
                format!(
                    "Only some calls of `{function}` await {awaited} before they ask `{source}` at {other}"
                ),
                format!(
                    "The calls that skip the await, for example by a cache of their own, ask a round earlier than the others: the keys of `{source}` go out in {}",
                    requests(usize::try_from(finding.source_rounds).unwrap_or(usize::MAX))
                ),
                format!(
                    "Let the loader cache, whose cached keys wait for the keys that are sent: {saving}"
                ),
            ),
            Kind::Duplicate => {
                let keys = candidate.loads.len();
                let text = candidate
                    .loads
                    .iter()
                    .find_map(|&load| self.timeline.loads[load].text.as_deref());
                let key = match text {
                    Some(text) if keys == 1 => format!("key {text}"),
                    _ if keys == 1 => "a key".to_owned(),
                    _ => format!("{keys} keys"),
                };
                (
                    format!(
                        "`{function}` asks `{source}` again for {key} that {other} has asked for"
                    ),
                    "The answers of earlier rounds are not kept, so the same keys are sent again"
                        .to_owned(),
                    format!(
                        "Let the loader cache for the request, by a scope or `cache`: {saving}"
                    ),
                )
            }
        };
        (finding.what, finding.why, finding.advice) = (what, why, advice);
    }
}

fn is_same_line(one: &Site, other: &Site) -> bool {
    (&one.file, one.line) == (&other.file, other.line)
}

/// Returns the promise of a finding.
fn saving(finding: &Finding) -> String {
    let Finding { source, source_rounds, source_rounds_after, rounds, rounds_after, .. } = finding;
    if rounds > rounds_after {
        format!("{} instead of {rounds}", counted(*rounds_after))
    } else if source_rounds > source_rounds_after {
        format!("{} of `{source}` instead of {source_rounds}", counted(*source_rounds_after))
    } else {
        format!("fewer keys in the {} of `{source}`", counted(*source_rounds))
    }
}

fn counted(rounds: u32) -> String {
    if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") }
}

fn requests(count: usize) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}
