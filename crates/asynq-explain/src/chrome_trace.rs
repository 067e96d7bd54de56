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
    let [first, rest @ ..] = metadata();
    write_event(&mut to, &first)?;
    for event in rest {
        to.write_all(b",\n")?;
        write_event(&mut to, &event)?;
    }
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

/// Returns the names of the processes, and their order.
fn metadata() -> [Value; 4] {
    let event = |pid: u32, name: &str, args: Value| json!({"ph": "M", "name": name, "pid": pid, "tid": pid, "args": args});
    [
        event(SOURCES, "process_name", json!({"name": "sources"})),
        event(SOURCES, "process_sort_index", json!({"sort_index": SOURCES})),
        event(TASKS, "process_name", json!({"name": "tasks"})),
        event(TASKS, "process_sort_index", json!({"sort_index": TASKS})),
    ]
}

/// Returns arguments without those that are null, which viewers show as values.
fn without_nulls(mut args: Value) -> Value {
    if let Some(members) = args.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    args
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
    /// Spans of the same track may overlap, so each is a pair of asynchronous events. These are matched by category and
    /// id. Flows need events that do not overlap, so there are none.
    fn events(self) -> [Value; 2] {
        let event = |phase: &str, time: Time| {
            json!({"ph": phase, "name": self.name, "cat": self.category, "id": self.id, "pid": self.pid, "tid": self.pid,
                "ts": microseconds(time)})
        };
        let mut begin = event("b", self.start);
        let end = event("e", self.end);
        begin["args"] = without_nulls(self.args);
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
