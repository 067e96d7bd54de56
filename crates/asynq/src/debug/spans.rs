//! Spans of `tracing` for the steps of the scheduler.

use std::collections::HashMap;

use tracing::span::EnteredSpan;
use tracing::{Span, debug, debug_span, error};

use super::event::{Awaited, Event, Task};
use super::listen::{Listening, listen};

/// Reports the steps of this thread's scheduler to `tracing`, as long as the guard lives.
///
/// The target is `asynq` and the level `DEBUG` (`ERROR` for a deadlock):
///
/// - a span `task` for each task that has started, with the fields `function` and `at`. Its parent is
///   the span of the task or call that awaited it first. It is entered while the task runs, and has an
///   event for each wait, wake-up and failure;
/// - a span `flush` for each batch, with the fields `source` and `items`, which is entered while the
///   thread flushes the batch, and closed when all items are resolved. It has no parent, because a
///   batch may be for several requests: it *follows from* the spans of the tasks that wait for its items;
/// - a span `call` for each synchronous call, with the fields `function` and `depth`.
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
    listen(move |event| spans.report(event))
}

#[derive(Default)]
struct Spans {
    /// Spans in which tasks were requested that have not started.
    requested: HashMap<u64, Span>,
    tasks: HashMap<u64, Span>,
    flushes: HashMap<u64, Span>,
    /// Tasks that wait for items of batches which were not flushed.
    waiting: HashMap<u64, Vec<u64>>,
    /// Spans that are entered, the innermost last.
    entered: Vec<(Entered, EnteredSpan)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    Task(u64),
    Flush(u64),
    Call { depth: usize },
}

impl Spans {
    fn report(&mut self, event: &Event) {
        match event {
            Event::Created { task, .. } => {
                self.requested.insert(task.number, Span::current());
            }
            Event::Started(task) | Event::Continued(task) => {
                let span = self.task(task).clone();
                self.enter(Entered::Task(task.number), span);
            }
            Event::Blocked { task, on } => {
                for batch in on.iter().filter_map(batch_of) {
                    self.waiting.entry(batch).or_default().push(task.number);
                }
                if let Some(span) = self.tasks.get(&task.number) {
                    let count = on.len();
                    let first = on.first().map(tracing::field::display);
                    debug!(target: "asynq", parent: span, count, first, "waits");
                }
                self.leave(Entered::Task(task.number));
            }
            Event::Woken(task) => {
                if let Some(span) = self.tasks.get(&task.number) {
                    debug!(target: "asynq", parent: span, "woken");
                }
            }
            Event::Failed { task, message } => {
                if let Some(span) = self.tasks.get(&task.number) {
                    debug!(target: "asynq", parent: span, error = message, "fails");
                }
                self.end(task);
            }
            Event::Finished(task) => self.end(task),
            Event::FlushBegan { batch, items } => {
                let source = &*batch.name;
                let span = debug_span!(target: "asynq", parent: None, "flush", source, items);
                for task in self.waiting.remove(&batch.number).unwrap_or_default() {
                    span.follows_from(self.tasks.get(&task).and_then(Span::id));
                }
                self.flushes.insert(batch.number, span.clone());
                self.enter(Entered::Flush(batch.number), span);
            }
            Event::FlushDeferred(batch) => self.leave(Entered::Flush(batch.number)),
            Event::FlushEnded(batch) => {
                self.leave(Entered::Flush(batch.number));
                self.flushes.remove(&batch.number);
                self.waiting.remove(&batch.number);
            }
            &Event::Called { ref task, depth } => {
                let function = function(task);
                let span = debug_span!(target: "asynq", "call", function, depth);
                self.enter(Entered::Call { depth }, span);
                if self.requested.contains_key(&task.number) {
                    // This call has requested the task.
                    self.requested.insert(task.number, Span::current());
                }
            }
            Event::Returned { depth } => self.leave(Entered::Call { depth: depth + 1 }),
            Event::Deadlocked(tasks) => {
                let count = tasks.len();
                error!(target: "asynq", count, "deadlock");
            }
            Event::Entered(_)
            | Event::Left(_)
            | Event::Paused(_)
            | Event::Resumed(_)
            | Event::Waited => {}
        }
    }

    /// Returns the span of a task that has started.
    fn task(&mut self, task: &Task) -> &Span {
        self.tasks.entry(task.number).or_insert_with(|| {
            let parent = self.requested.remove(&task.number).unwrap_or_else(Span::current);
            let function = function(task);
            let at = task.call.map(|call| tracing::field::display(call.at));
            debug_span!(target: "asynq", parent: &parent, "task", function, at)
        })
    }

    fn end(&mut self, task: &Task) {
        self.leave(Entered::Task(task.number));
        self.requested.remove(&task.number);
        self.tasks.remove(&task.number);
    }

    fn enter(&mut self, what: Entered, span: Span) {
        self.entered.push((what, span.entered()));
    }

    /// Leaves the innermost span of `what`, if any, and the spans left inside it: a task that one of its
    /// calls cancels ends before that call.
    fn leave(&mut self, what: Entered) {
        let Some(place) = self.entered.iter().rposition(|&(entered, _)| entered == what) else {
            return;
        };
        if let Entered::Call { .. } = what {
            while self.entered.len() > place {
                self.entered.pop();
            }
        } else {
            drop(self.entered.remove(place));
        }
    }
}

/// The number of the batch whose item a task waits for.
fn batch_of(awaited: &Awaited) -> Option<u64> {
    match awaited {
        Awaited::Item { batch, .. } => Some(batch.number),
        Awaited::Task(_) => None,
    }
}

fn function(task: &Task) -> &'static str {
    task.call.map_or("a task", |call| call.function)
}
