//! The texts of findings.

use super::{Candidate, Search};
use crate::finding::{Finding, Kind};

impl<'a> Search<'a> {
    /// Sets the texts of a finding.
    pub(super) fn describe(&self, finding: &mut Finding, candidate: &Candidate<'a>) {
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
