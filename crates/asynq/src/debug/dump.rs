//! Printing of the steps of a scheduler.

use super::event::Event;
use super::listen::{Listening, listen};
use super::state::format_state;

/// Selection of the steps that [`dump`] prints.
///
/// ```
/// use asynq::debug::Dump;
///
/// let flushes_only = Dump { flushes: true, ..Dump::NOTHING };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each field is a switch")]
pub struct Dump {
    /// First requests of tasks and promises: with the place of the call, and the creator.
    pub new_tasks: bool,
    /// Starts, resumptions, ends and failures of tasks.
    pub tasks: bool,
    /// Waits of tasks, and their wake-ups.
    pub dependencies: bool,
    /// Flushes of batches.
    pub flushes: bool,
    /// Contexts that are entered, paused, resumed and left.
    pub contexts: bool,
    /// Synchronous calls.
    pub calls: bool,
    /// State of the scheduler ([`format_state`]) whenever no task can run: before each flush, and before
    /// each wait for a future from elsewhere. Also deadlocks.
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
            Event::Created { .. } => self.new_tasks,
            Event::Started(_) | Event::Continued(_) | Event::Finished(_) | Event::Failed { .. } => {
                self.tasks
            }
            Event::Blocked { .. } | Event::Woken(_) => self.dependencies,
            Event::FlushBegan { .. } | Event::FlushDeferred(_) | Event::FlushEnded(_) => {
                self.flushes
            }
            Event::Entered(_) | Event::Left(_) | Event::Paused(_) | Event::Resumed(_) => {
                self.contexts
            }
            Event::Called { .. } | Event::Returned { .. } => self.calls,
            Event::Waited | Event::Deadlocked(_) => self.state,
        }
    }
}

/// Prints the selected steps of this thread's scheduler to standard error, one line each, as long as the
/// guard lives.
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

/// Calls `write` with the lines that [`dump`] would print.
#[must_use = "dumping ends when the guard is dropped"]
pub fn dump_to(switches: Dump, mut write: impl FnMut(&str) + 'static) -> Listening {
    listen(move |event| {
        if switches.has(event) {
            write(&event.to_string());
        }
        if switches.state && matches!(event, Event::FlushBegan { .. } | Event::Waited) {
            format_state().lines().for_each(&mut write);
        }
    })
}
