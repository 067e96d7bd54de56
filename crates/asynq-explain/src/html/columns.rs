//! The recording as the page reads it: a list for each field, which is small and quick to read for 100,000 tasks.

use std::collections::HashMap;

use serde::Serialize;

use crate::event::Time;
use crate::explanation::Explanation;
use crate::finding::Finding;
use crate::lookup::{Lookup, place, reason};
use crate::recording::Recording;
use crate::timeline::Task;

/// Content of the element `recording` of the page. Times are in microseconds since the first event, texts are positions in `strings`.
#[derive(Serialize)]
pub(super) struct Columns {
    title: String,
    rounds: u32,
    duration: i64,
    dropped: u64,
    strings: Vec<String>,
    sources: Vec<usize>,
    source_places: Vec<usize>,
    batches: BatchColumns,
    tasks: TaskColumns,
    path: Vec<PathLink>,
    findings: Vec<PageFinding>,
}

#[derive(Default, Serialize)]
struct BatchColumns {
    source: Vec<usize>,
    round: Vec<u32>,
    start: Vec<i64>,
    end: Vec<i64>,
    count: Vec<u64>,
    reason: Vec<usize>,
    /// −1 without an error.
    error: Vec<i64>,
    keys: Lists,
    waiters: Lists,
}

#[derive(Default, Serialize)]
struct TaskColumns {
    function: Vec<usize>,
    place: Vec<usize>,
    /// −1 for a task that no task has created.
    caller: Vec<i64>,
    /// Places of the call.
    at: Vec<usize>,
    start: Vec<i64>,
    end: Vec<i64>,
    /// 1 if a task has called it synchronously.
    sync: Vec<u8>,
    waits: Lists,
    /// Place of each wait.
    wait_place: Vec<usize>,
    notes: Lists,
}

/// A list of lists: the items of list `n` are those from `starts[n]` to `starts[n + 1]`.
#[derive(Serialize)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<usize>,
}

#[derive(Serialize)]
struct PathLink {
    batch: usize,
    place: String,
    why: String,
}

#[derive(Serialize)]
struct PageFinding {
    kind: &'static str,
    place: String,
    function: String,
    what: String,
    why: String,
    advice: String,
    batches: Vec<usize>,
    tasks: Vec<usize>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }
}

impl Lists {
    fn push(&mut self, list: impl IntoIterator<Item = usize>) {
        self.items.extend(list);
        self.starts.push(self.items.len());
    }
}

/// Texts, each of which has a number.
#[derive(Default)]
struct Strings {
    numbers: HashMap<String, usize>,
    texts: Vec<String>,
}

impl Strings {
    fn number(&mut self, text: String) -> usize {
        *self.numbers.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            self.texts.len() - 1
        })
    }
}

impl Columns {
    pub(super) fn new(recording: &Recording, explanation: &Explanation) -> Self {
        let lookup = Lookup::new(recording, explanation);
        let mut strings = Strings::default();
        let unknown = lookup.source_names.len();
        let names = lookup.source_names.iter().copied().chain(["(unknown source)"]);
        Self {
            title: lookup.title().to_owned(),
            rounds: explanation.rounds,
            duration: microseconds(lookup.duration()),
            dropped: recording.header.dropped,
            sources: names.map(|name| strings.number(name.to_owned())).collect(),
            source_places: lookup
                .source_places
                .iter()
                .map(|place| strings.number(place.clone()))
                .collect(),
            batches: batch_columns(&lookup, &mut strings, unknown),
            tasks: task_columns(&lookup, &mut strings),
            path: path(&lookup),
            findings: explanation.findings.iter().map(page_finding).collect(),
            strings: strings.texts,
        }
    }
}

fn microseconds(time: Time) -> i64 {
    i64::try_from(time / 1000).unwrap_or(i64::MAX)
}

fn batch_columns(lookup: &Lookup<'_>, strings: &mut Strings, unknown: usize) -> BatchColumns {
    let since_begin = |time: Time| microseconds(time.saturating_sub(lookup.begin));
    let mut columns = BatchColumns::default();
    for (index, batch) in lookup.explanation.batches.iter().enumerate() {
        columns.source.push(lookup.source(index).unwrap_or(unknown));
        columns.round.push(batch.round);
        columns.start.push(since_begin(batch.start));
        columns.end.push(since_begin(lookup.end(index)));
        columns.count.push(batch.keys);
        columns.reason.push(strings.number(reason(batch.reason).to_owned()));
        columns.error.push(optional(lookup.error(index).map(|error| strings.number(error))));
        columns.keys.push(lookup.keys(index).into_iter().map(|key| strings.number(key)));
        columns.waiters.push(lookup.waiters[index].iter().copied());
    }
    columns
}

fn optional(index: Option<usize>) -> i64 {
    index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)
}

fn task_columns(lookup: &Lookup<'_>, strings: &mut Strings) -> TaskColumns {
    let since_begin = |time: Time| microseconds(time.saturating_sub(lookup.begin));
    let mut columns = TaskColumns::default();
    for (index, task) in lookup.explanation.tasks.iter().enumerate() {
        columns.function.push(strings.number(lookup.function(index).to_owned()));
        columns.place.push(strings.number(lookup.place(Some(task.site))));
        columns.caller.push(optional(task.parent));
        columns.at.push(strings.number(lookup.places(task.at)));
        columns.start.push(since_begin(task.start));
        columns.end.push(since_begin(task.end.unwrap_or(lookup.last)));
        columns.sync.push(task.called_by.is_some().into());
        push_waits(&mut columns, lookup, strings, task);
        columns.notes.push(notes(lookup, task).into_iter().map(|note| strings.number(note)));
    }
    columns
}

fn push_waits(columns: &mut TaskColumns, lookup: &Lookup<'_>, strings: &mut Strings, task: &Task) {
    let mut waits = Vec::new();
    for wait in &task.waits {
        let mut batches: Vec<usize> =
            wait.loads.iter().filter_map(|&load| lookup.explanation.loads[load].batch).collect();
        batches.sort_unstable();
        batches.dedup();
        let place = strings.number(lookup.places(wait.at));
        columns.wait_place.extend(std::iter::repeat_n(place, batches.len()));
        waits.extend(batches);
    }
    columns.waits.push(waits);
}

fn notes(lookup: &Lookup<'_>, task: &Task) -> Vec<String> {
    let contexts = task.contexts.iter().map(|context| format!("context {context}"));
    let error = task.error.iter().map(|error| format!("failed: {error}"));
    let unfinished = task.end.is_none().then(|| "had not ended when the recording did".to_owned());
    let flush = task.flush.map(|batch| format!("sends a batch of {}", lookup.source_name(batch)));
    contexts.chain(error).chain(unfinished).chain(flush).collect()
}

fn path(lookup: &Lookup<'_>) -> Vec<PathLink> {
    let links = lookup.explanation.critical_path.iter();
    links
        .map(|link| PathLink {
            batch: link.batch,
            place: lookup.places(link.at),
            why: link.text.clone(),
        })
        .collect()
}

fn page_finding(finding: &Finding) -> PageFinding {
    PageFinding {
        kind: finding.kind.name(),
        place: place(&finding.file, finding.line),
        function: finding.function.clone(),
        what: finding.what.clone(),
        why: finding.why.clone(),
        advice: finding.advice.clone(),
        batches: finding.batches.clone(),
        tasks: finding.tasks.clone(),
    }
}
