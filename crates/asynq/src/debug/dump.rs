//! Prints what the scheduler does, and where it stands.

use std::fmt::Write as _;

use super::event::{Event, Listening, listen};
use crate::scheduler;

/// Which steps [`dump`] prints.
///
/// ```
/// use asynq::debug::Dump;
///
/// let flushes_only = Dump { flushes: true, ..Dump::NOTHING };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each of them is a switch")]
pub struct Dump {
    /// Tasks and promises that are asked for the first time, and where they were called.
    pub new_tasks: bool,
    /// Tasks that start, go on and end.
    pub tasks: bool,
    /// What tasks wait for, and when it is there.
    pub dependencies: bool,
    /// Batches, as they are flushed.
    pub flushes: bool,
    /// Contexts, as they are paused and resumed.
    pub contexts: bool,
    /// Synchronous calls.
    pub calls: bool,
    /// Deadlocks, and waits for something from elsewhere.
    pub state: bool,
}

impl Dump {
    /// Prints nothing.
    pub const NOTHING: Self = Self {
        new_tasks: false,
        tasks: false,
        dependencies: false,
        flushes: false,
        contexts: false,
        calls: false,
        state: false,
    };

    /// Prints every step.
    pub const ALL: Self = Self {
        new_tasks: true,
        tasks: true,
        dependencies: true,
        flushes: true,
        contexts: true,
        calls: true,
        state: true,
    };

    fn has(self, event: &Event) -> bool {
        match event {
            Event::Created(_) => self.new_tasks,
            Event::Started(_) | Event::Continued(_) | Event::Finished(_) => self.tasks,
            Event::Blocked { .. } | Event::Woken(_) => self.dependencies,
            Event::FlushBegan { .. } | Event::FlushDeferred(_) | Event::FlushEnded(_) => {
                self.flushes
            }
            Event::Paused { .. } | Event::Resumed { .. } => self.contexts,
            Event::Called { .. } | Event::Returned { .. } => self.calls,
            Event::Waited | Event::Deadlocked(_) => self.state,
        }
    }
}

/// Prints the chosen steps of this thread's scheduler on standard error, a line each, as long as
/// the guard lives.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let _dumping = debug::dump(debug::Dump::ALL);
/// AsyncTask::new(async { debug::sync().await }).value();
/// ```
#[must_use = "dumping ends when the guard is dropped"]
pub fn dump(switches: Dump) -> Listening {
    dump_to(switches, |line| eprintln!("asynq: {line}"))
}

/// Likewise, but gives the lines to `write`.
#[must_use = "dumping ends when the guard is dropped"]
pub fn dump_to(switches: Dump, mut write: impl FnMut(&str) + 'static) -> Listening {
    listen(move |event| {
        if switches.has(event) {
            write(&event.to_string());
        }
    })
}

/// Where the scheduler of this thread stands: the tasks that have not ended, what each of them
/// waits for, and the batches that are not flushed.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let state = AsyncTask::new(async { debug::format_state() }).value();
/// assert!(state.starts_with("asynq: 1 call, 1 task, 0 batches"));
/// ```
#[must_use]
pub fn format_state() -> String {
    scheduler::with(|scheduler| {
        let (depth, running, tasks, batches) = {
            let engine = scheduler.engine();
            let tasks: Vec<_> = engine
                .tasks()
                .filter_map(|task| task.id.get())
                .map(|id| (id, engine.dependencies(id)))
                .collect();
            let batches: Vec<_> = engine.batches().filter_map(std::rc::Weak::upgrade).collect();
            (engine.depth(), engine.running(), tasks, batches)
        };
        let count = |number: usize, one: &str, many: &str| {
            format!("{number} {}", if number == 1 { one } else { many })
        };
        let mut text = format!(
            "asynq: {}, {}, {}",
            count(depth, "call", "calls"),
            count(tasks.len(), "task", "tasks"),
            count(batches.len(), "batch", "batches"),
        );
        // Writing to a string does not fail.
        for (id, on) in tasks {
            let task = scheduler.task_name(id);
            let _ = write!(text, "\n  {task}");
            if running == Some(id) {
                let _ = write!(text, ", runs");
            }
            for on in on {
                let _ = write!(text, "\n    waits for {}", scheduler.awaited(on));
            }
        }
        for batch in batches {
            let _ =
                write!(text, "\n  batch {}: {}", batch.name(), count(batch.len(), "item", "items"));
        }
        text
    })
}

/// Prints [`format_state`] on standard error.
pub fn dump_state() {
    eprintln!("{}", format_state());
}
