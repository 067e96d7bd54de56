//! The steps of the scheduler as spans of `tracing`.

use std::collections::HashMap;

use tracing::span::EnteredSpan;
use tracing::{Span, debug, debug_span, error};

use super::event::{Event, Task};
use super::listen::{Listening, listen};

/// Gives the steps of this thread's scheduler to `tracing`, as long as the guard lives.
///
/// All is of level `DEBUG` (a deadlock `ERROR`) and has the target `asynq`:
///
/// - a span `task` for each task that has started, with the fields `function` and `at`, inside the
///   span in which it was first asked for, i.e. that of the task that awaited it, or the call; it is
///   entered while the task runs, has an event for each wait and wake-up, and one if it fails;
/// - a span `flush` for each batch, with the fields `source` and `items`, entered while the thread
///   flushes it, and closed when all items have their values;
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
    listen(move |event| spans.tell(event))
}

#[derive(Default)]
struct Spans {
    /// Where the tasks were asked for that have not started.
    asked: HashMap<u64, Span>,
    tasks: HashMap<u64, Span>,
    flushes: HashMap<u64, Span>,
    /// What is entered, the innermost last.
    entered: Vec<(Entered, EnteredSpan)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    Task(u64),
    Flush(u64),
    Call { depth: usize },
}

impl Spans {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Created { task, .. } => {
                self.asked.insert(task.number, Span::current());
            }
            Event::Started(task) | Event::Continued(task) => {
                let span = self.task(task).clone();
                self.enter(Entered::Task(task.number), span);
            }
            Event::Blocked { task, on } => {
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
                let span = debug_span!(target: "asynq", "flush", source, items);
                self.flushes.insert(batch.number, span.clone());
                self.enter(Entered::Flush(batch.number), span);
            }
            Event::FlushDeferred(batch) => self.leave(Entered::Flush(batch.number)),
            Event::FlushEnded(batch) => {
                self.leave(Entered::Flush(batch.number));
                self.flushes.remove(&batch.number);
            }
            &Event::Called { ref task, depth } => {
                let function = function(task);
                let span = debug_span!(target: "asynq", "call", function, depth);
                self.enter(Entered::Call { depth }, span);
                if self.asked.contains_key(&task.number) {
                    // It is this call that asks.
                    self.asked.insert(task.number, Span::current());
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

    /// The span of a task that has started.
    fn task(&mut self, task: &Task) -> &Span {
        self.tasks.entry(task.number).or_insert_with(|| {
            let asked = self.asked.remove(&task.number).unwrap_or_else(Span::current);
            let function = function(task);
            let at = task.call.map(|call| tracing::field::display(call.at));
            debug_span!(target: "asynq", parent: &asked, "task", function, at)
        })
    }

    fn end(&mut self, task: &Task) {
        self.leave(Entered::Task(task.number));
        self.asked.remove(&task.number);
        self.tasks.remove(&task.number);
    }

    fn enter(&mut self, what: Entered, span: Span) {
        self.entered.push((what, span.entered()));
    }

    /// Leaves the innermost span of `what`, if any, and what was left inside it: a task that was
    /// cancelled by a call of its own has ended before that call has.
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

fn function(task: &Task) -> &'static str {
    task.call.map_or("a task", |call| call.function)
}
