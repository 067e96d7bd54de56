//! The critical path: the chain of batches that decided the latency.

use crate::code::{Code, Relation};
use crate::event::{How, Id};
use crate::names::Names;
use crate::rounds::{Cause, Rounds, Seen};
use crate::timeline::Timeline;

/// A link of the critical path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Index of the batch.
    pub batch: usize,
    /// Site of the await that waited for the batch before this one; `None` for the first.
    pub after: Option<Id>,
    /// Site that asked for a key of this batch after that.
    pub at: Option<Id>,
    /// Sentence that says what made this batch wait for the one before; empty for the first.
    pub text: String,
}

/// Returns the critical path: one batch of each round, each of which had to wait for the one before.
pub(crate) fn critical_path(
    timeline: &Timeline,
    rounds: &Rounds,
    code: &Code<'_>,
    names: &Names<'_>,
) -> Vec<Link> {
    let path = Path { timeline, rounds };
    let mut links = Vec::new();
    let mut next = path.last();
    while let Some(load) = next {
        let Some(batch) = timeline.loads[load].batch else { break };
        let before = path.before(load);
        let cause = rounds.loads[load].cause.filter(|_| before.is_some());
        let (after, at) = match cause {
            Some(Cause::Wait { task, wait, then }) => (timeline.tasks[task].waits[wait].at, then),
            Some(Cause::Call { call, then }) => (timeline.calls[call].at, then),
            None => (None, None),
        };
        let text = match (before, cause) {
            (None, _) => String::new(),
            (Some(_), Some(cause)) => text(batch, cause, timeline, code, names),
            (Some(_), None) => {
                let source = names.source(timeline.batches[batch].source);
                format!(
                    "its keys were asked for after the answer before, of code outside of tasks or of `{source}`"
                )
            }
        };
        links.push(Link { batch, after, at, text });
        // What was seen becomes less, so this ends.
        next = before.filter(|&before| rounds.loads[before].round < rounds.loads[load].round);
    }
    links.reverse();
    links
}

fn text(
    batch: usize,
    cause: Cause,
    timeline: &Timeline,
    code: &Code<'_>,
    names: &Names<'_>,
) -> String {
    match cause {
        Cause::Call { call, .. } => {
            let at = timeline.calls[call].at.and_then(|at| code.site(at));
            let place = at.map_or_else(|| "some place".to_owned(), Names::place);
            let function = at.map_or("a task", |at| at.function.as_str());
            format!("`{function}` makes a synchronous call at {place}, which holds up its thread")
        }
        Cause::Wait { task, wait, then } => {
            let node = &timeline.tasks[task].waits[wait];
            let awaited = names.awaited(node);
            let at = node.at.and_then(|at| code.site(at));
            let asked = names.source(timeline.batches[batch].source);
            let function = at.map_or_else(|| names.function(task), |at| at.function.clone());
            let first = at.map_or_else(String::new, |at| format!(" ({})", Names::place(at)));
            let second = then.and_then(|then| code.site(then));
            let second =
                second.map_or_else(String::new, |then| format!(" ({})", Names::place(then)));
            let relation = match (node.at, then) {
                (Some(awaited), Some(then)) => code.relation(awaited, then),
                _ => Relation::Needed,
            };
            let advice = match relation {
                Relation::Needed => "",
                Relation::Independent { .. } => ": awaited together they would take one round less",
                Relation::Loop { .. } => ": the turns of the loop could be awaited together",
            };
            format!(
                "`{function}` awaits {awaited}{first} before it asks for `{asked}`{second}{advice}"
            )
        }
    }
}

struct Path<'a> {
    timeline: &'a Timeline,
    rounds: &'a Rounds,
}

impl Path<'_> {
    /// Returns the load that was answered last of those that came last.
    fn last(&self) -> Option<usize> {
        let is_sent = |&load: &usize| self.is_sent(load);
        (0..self.timeline.loads.len()).filter(is_sent).max_by_key(|&load| {
            let batch = self.timeline.loads[load].batch.map(|batch| &self.timeline.batches[batch]);
            let end = batch.and_then(|batch| batch.end).unwrap_or(u64::MAX);
            (self.rounds.loads[load].round, end, load)
        })
    }

    fn is_sent(&self, load: usize) -> bool {
        let node = &self.timeline.loads[load];
        node.how == How::New && node.batch.is_some()
    }

    /// Returns the load whose answer somebody had to see before he asked for another.
    fn before(&self, load: usize) -> Option<usize> {
        let seen = self.rounds.loads[load];
        if seen.round == 0 {
            return None;
        }
        self.origin(seen).or_else(|| {
            (0..load).rev().find(|&before| {
                self.is_sent(before) && self.rounds.loads[before].round + 1 == seen.round
            })
        })
    }

    /// Returns the load whose answer was seen.
    fn origin(&self, mut seen: Seen) -> Option<usize> {
        for _ in 0..=self.timeline.tasks.len() {
            let (loads, tasks): (&[usize], &[usize]) = match seen.cause? {
                Cause::Wait { task, wait, .. } => {
                    let wait = &self.timeline.tasks[task].waits[wait];
                    (&wait.loads, &wait.tasks)
                }
                Cause::Call { call, .. } => (&[], self.timeline.calls[call].root.as_slice()),
            };
            let found = loads.iter().rfind(|&&load| self.rounds.values[load] == seen.round);
            if let Some(&load) = found {
                let load = self.timeline.loads[load].of.unwrap_or(load);
                // Otherwise its flush has asked for others, which came later.
                return (self.rounds.loads[load].round + 1 == seen.round).then_some(load);
            }
            let task = tasks.iter().find(|&&task| self.rounds.tasks[task].round == seen.round)?;
            seen = self.rounds.tasks[*task];
        }
        None
    }
}
