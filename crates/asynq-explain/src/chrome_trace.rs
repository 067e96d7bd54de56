//! The recording as a trace of Chrome, for Perfetto and `chrome://tracing`.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::event::Time;
use crate::explanation::Explanation;
use crate::lookup::{Lookup, reason};
use crate::recording::Recording;

/// Maximum number of keys and waiting functions of a batch.
const LISTED: usize = 100;
const SOURCES: u32 = 1;
const TASKS: u32 = 2;

/// Writes the recording as a trace in Chrome's JSON format.
///
/// Batches lie on tracks named after their source, tasks on tracks named after their function.
pub(crate) fn write_chrome_trace(
    recording: &Recording,
    explanation: &Explanation,
    mut to: impl Write,
) -> io::Result<()> {
    let lookup = Lookup::new(recording, explanation);
    to.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")?;
    write_event(&mut to, &process(SOURCES, "sources"))?;
    to.write_all(b",\n")?;
    write_event(&mut to, &process(TASKS, "tasks"))?;
    let spans = (0..explanation.batches.len()).map(|batch| batch_span(&lookup, batch));
    for span in spans.chain((0..explanation.tasks.len()).map(|task| task_span(&lookup, task))) {
        for event in span.events() {
            to.write_all(b",\n")?;
            write_event(&mut to, &event)?;
        }
    }
    to.write_all(b"\n]}\n")
}

fn write_event(to: &mut impl Write, event: &Value) -> io::Result<()> {
    Ok(serde_json::to_writer(to, event)?)
}

fn process(pid: u32, name: &str) -> Value {
    json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}})
}

struct Span<'a> {
    name: &'a str,
    category: &'static str,
    pid: u32,
    id: u64,
    start: Time,
    end: Time,
    args: Value,
}

impl Span<'_> {
    /// Spans of the same track may overlap, so each is a pair of asynchronous events.
    fn events(self) -> [Value; 2] {
        let event = |phase: &str, time: Time| {
            json!({"ph": phase, "name": self.name, "cat": self.category, "id": self.id, "pid": self.pid, "tid": 0,
                "ts": microseconds(time)})
        };
        let mut begin = event("b", self.start);
        let end = event("e", self.end);
        begin["args"] = self.args;
        [begin, end]
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact to the nanosecond for a hundred days")]
fn microseconds(time: Time) -> f64 {
    time as f64 / 1e3
}

fn batch_span<'a>(lookup: &Lookup<'a>, index: usize) -> Span<'a> {
    let batch = &lookup.explanation.batches[index];
    let mut keys = lookup.keys(index);
    keys.truncate(LISTED);
    let waiting = lookup.waiters[index].iter().take(LISTED);
    let waiting: Vec<&str> = waiting.map(|&task| lookup.function(task)).collect();
    let args = json!({
        "round": batch.round, "keys": batch.keys, "texts of keys": keys, "waiting": waiting,
        "sent because": reason(batch.reason), "error": lookup.error(index),
    });
    Span {
        name: lookup.source_name(index),
        category: "batch",
        pid: SOURCES,
        id: batch.id,
        start: batch.start,
        end: lookup.end(index),
        args,
    }
}

fn task_span<'a>(lookup: &Lookup<'a>, index: usize) -> Span<'a> {
    let task = &lookup.explanation.tasks[index];
    let args = json!({
        "place": lookup.place(Some(task.site)), "called at": lookup.places(task.at), "contexts": task.contexts,
        "error": task.error, "caller": task.parent.map(|parent| lookup.function(parent)),
    });
    Span {
        name: lookup.function(index),
        category: "task",
        pid: TASKS,
        id: task.id,
        start: task.start,
        end: task.end.unwrap_or(lookup.last),
        args,
    }
}
