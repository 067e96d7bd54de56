//! The steps of the scheduler as spans of `tracing`.

use std::collections::HashMap;

use tracing::span::EnteredSpan;
use tracing::{Span, debug, debug_span, error};

use super::event::{Event, Listening, Task, listen};

/// Gives the steps of this thread's scheduler to `tracing`, as long as the guard lives.
///
/// All is of level `DEBUG` (a deadlock `ERROR`) and has the target `asynq`:
///
/// - a span `task` for each task, with the fields `function` and `at`, inside that of the task that
///   first asked for it; it is entered while the task runs, and has an event for each wait and each
///   wake-up;
/// - a span `flush` for each batch, with the fields `source` and `items`, entered while the thread
///   flushes it, and closed when all items have their values;
/// - a span `call` for each synchronous call, with the field `depth`.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let _tracing = debug::trace();
/// AsyncTask::new(async { debug::sync().await }).value();
/// ```
#[must_use = "tracing ends when the guard is dropped"]
pub fn trace() -> Listening {
    let mut spans = Spans::default();
    listen(move |event| spans.tell(event))
}

#[derive(Default)]
struct Spans {
    tasks: HashMap<u64, Span>,
    flushes: HashMap<u64, Span>,
    /// What is entered, the innermost last.
    entered: Vec<EnteredSpan>,
}

impl Spans {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Created(task) => {
                self.tasks.insert(task.number, span_of(task));
            }
            Event::Started(task) | Event::Continued(task) => {
                let span = self.tasks.entry(task.number).or_insert_with(|| span_of(task));
                self.entered.push(span.clone().entered());
            }
            Event::Blocked { task, on } => {
                if let Some(span) = self.tasks.get(&task.number) {
                    let count = on.len();
                    let first = on.first().map(tracing::field::display);
                    debug!(target: "asynq", parent: span, count, first, "waits");
                }
                self.entered.pop();
            }
            Event::Woken(task) => {
                if let Some(span) = self.tasks.get(&task.number) {
                    debug!(target: "asynq", parent: span, "woken");
                }
            }
            Event::Finished(task) => {
                let span = self.tasks.remove(&task.number);
                // A promise, or a task that was cancelled, ends without having run.
                if let (Some(span), Some(innermost)) = (span, self.entered.last())
                    && span == **innermost
                {
                    self.entered.pop();
                }
            }
            Event::FlushBegan { batch, items } => {
                let source = &*batch.name;
                let span = debug_span!(target: "asynq", "flush", source, items);
                self.entered.push(span.clone().entered());
                self.flushes.insert(batch.number, span);
            }
            Event::FlushEnded(batch) => {
                if let Some(span) = self.flushes.remove(&batch.number)
                    && self.entered.last().is_some_and(|innermost| span == **innermost)
                {
                    self.entered.pop();
                }
            }
            Event::Called { depth, .. } => {
                self.entered.push(debug_span!(target: "asynq", "call", depth).entered());
            }
            Event::FlushDeferred(_) | Event::Returned { .. } => {
                self.entered.pop();
            }
            Event::Deadlocked(tasks) => {
                let count = tasks.len();
                error!(target: "asynq", count, "deadlock");
            }
            Event::Paused { .. } | Event::Resumed { .. } | Event::Waited => {}
        }
    }
}

fn span_of(task: &Task) -> Span {
    let function = task.call.map_or("a task", |call| call.function);
    let at = task.call.map(|call| tracing::field::display(call.at));
    debug_span!(target: "asynq", "task", function, at)
}
