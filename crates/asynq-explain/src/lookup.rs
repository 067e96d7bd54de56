//! Names, places, keys and waiters, as reports show them.

use std::collections::{HashMap, HashSet};

use crate::event::{Event, Id, Reason, Time};
use crate::explanation::Explanation;
use crate::place::{Site, Source};
use crate::recording::Recording;
use crate::timeline::Load;

/// Tables of a recording and its explanation that reports look things up in.
pub(crate) struct Lookup<'a> {
    pub(crate) explanation: &'a Explanation,
    /// Names of the sources, in the order of the recording.
    pub(crate) source_names: Vec<&'a str>,
    /// Places at which they are defined; empty where that is unknown.
    pub(crate) source_places: Vec<String>,
    /// Time of the first event. What was before it, for example imports, is not drawn.
    pub(crate) begin: Time,
    /// Time of the last event.
    pub(crate) last: Time,
    /// Indexes of the tasks that wait for each batch.
    pub(crate) waiters: Vec<Vec<usize>>,
    program: &'a str,
    sites: HashMap<Id, &'a Site>,
    sources: HashMap<Id, usize>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(recording: &'a Recording, explanation: &'a Explanation) -> Self {
        Self {
            explanation,
            source_names: recording.sources.iter().map(|source| source.name.as_str()).collect(),
            source_places: recording.sources.iter().map(source_place).collect(),
            begin: recording.events.first().map_or(0, Event::time),
            last: recording.events.last().map_or(0, Event::time),
            waiters: waiters(explanation),
            program: &recording.header.program,
            sites: recording.sites.iter().map(|site| (site.id, site)).collect(),
            sources: (0..)
                .zip(&recording.sources)
                .map(|(index, source)| (source.id, index))
                .collect(),
        }
    }

    /// Returns the time from the first to the last event.
    pub(crate) fn duration(&self) -> Time {
        self.last.saturating_sub(self.begin)
    }

    /// Returns the name of the program, or a general one.
    pub(crate) fn title(&self) -> &'a str {
        if self.program.is_empty() { "asynq" } else { self.program }
    }

    /// Returns the position of a batch's source in the recording.
    pub(crate) fn source(&self, batch: usize) -> Option<usize> {
        self.sources.get(&self.explanation.batches[batch].source).copied()
    }

    pub(crate) fn source_name(&self, batch: usize) -> &'a str {
        self.source(batch).map_or("(unknown source)", |source| self.source_names[source])
    }

    pub(crate) fn function(&self, task: usize) -> &'a str {
        self.sites
            .get(&self.explanation.tasks[task].site)
            .map_or("(unknown function)", |site| &site.function)
    }

    /// Returns `file:line`, or an empty text if the site is unknown.
    pub(crate) fn place(&self, site: Option<Id>) -> String {
        site.and_then(|id| self.sites.get(&id))
            .map_or_else(String::new, |site| place(&site.file, site.line))
    }

    /// Returns the place, followed by those of the calls around it in the same task.
    pub(crate) fn places(&self, site: Option<Id>) -> String {
        let mut text = self.place(site);
        let mut at = site;
        // A damaged recording may have a circle of sites.
        for _ in 0..20 {
            at = at.and_then(|id| self.sites.get(&id)).and_then(|site| site.within);
            if at.is_none() {
                break;
            }
            text = text + " ← " + &self.place(at);
        }
        text
    }

    /// Returns the distinct keys that a batch carries.
    pub(crate) fn keys(&self, batch: usize) -> Vec<String> {
        let loads =
            self.explanation.batches[batch].loads.iter().map(|&load| &self.explanation.loads[load]);
        let mut numbers = HashSet::new();
        loads
            .filter(|load| load.key.is_none_or(|number| numbers.insert(number)))
            .filter_map(key_text)
            .collect()
    }

    /// Returns the end of a batch, or that of the recording.
    pub(crate) fn end(&self, batch: usize) -> Time {
        self.explanation.batches[batch].end.unwrap_or(self.last)
    }

    /// Returns the error of a batch, if it has one.
    pub(crate) fn error(&self, batch: usize) -> Option<String> {
        let batch = &self.explanation.batches[batch];
        match (&batch.error, batch.end) {
            (Some(error), _) => Some(error.clone()),
            (None, None) => Some("not answered before the recording ended".to_owned()),
            (None, Some(_)) if batch.failed > 0 => {
                Some(format!("{} failed", plural(batch.failed, "key")))
            }
            (None, Some(_)) => None,
        }
    }
}

fn waiters(explanation: &Explanation) -> Vec<Vec<usize>> {
    let mut waiters = vec![Vec::new(); explanation.batches.len()];
    let mut add = |load: usize, task: usize| {
        if let Some(batch) = explanation.loads[load].batch {
            waiters[batch].push(task);
        }
    };
    for (index, task) in explanation.tasks.iter().enumerate() {
        task.waits.iter().flat_map(|wait| &wait.loads).for_each(|&load| add(load, index));
    }
    for (index, load) in explanation.loads.iter().enumerate() {
        if let Some(task) = load.task {
            add(index, task);
        }
    }
    for tasks in &mut waiters {
        tasks.sort_unstable();
        tasks.dedup();
    }
    waiters
}

fn key_text(load: &Load) -> Option<String> {
    load.text.clone().or_else(|| load.key.map(|number| format!("key {number}")))
}

/// Returns `file:line`.
pub(crate) fn place(file: &str, line: u32) -> String {
    format!("{file}:{line}")
}

fn source_place(source: &Source) -> String {
    source.file.as_deref().map_or_else(String::new, |file| place(file, source.line.unwrap_or(1)))
}

/// Returns why a request was sent, in words.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Idle => "no task could run",
        Reason::Call => "synchronous call",
        Reason::Full => "full",
        Reason::Delay => "longest delay",
        Reason::Asked => "asked for",
    }
}

/// Returns a number with commas between thousands.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count with its noun.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ if noun.ends_with("ch") => format!("{} {noun}es", number(count)),
        _ => format!("{} {noun}s", number(count)),
    }
}

/// Returns a time with three digits, like `12.3 ms`.
#[expect(clippy::cast_precision_loss, reason = "only three digits are shown")]
pub(crate) fn duration(time: Time) -> String {
    let time = time as f64;
    let (value, unit) = match time {
        _ if time < 1e3 => return format!("{time} ns"),
        _ if time < 1e6 => (time / 1e3, "µs"),
        _ if time < 1e9 => (time / 1e6, "ms"),
        _ => (time / 1e9, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}
