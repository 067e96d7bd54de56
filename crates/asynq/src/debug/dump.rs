//! Prints what the scheduler does.

use super::event::Event;
use super::listen::{Listening, listen};
use super::state::format_state;

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
    /// Tasks and promises that are asked for the first time: where they were called, and by whom.
    pub new_tasks: bool,
    /// Tasks that start, go on, end and fail.
    pub tasks: bool,
    /// What tasks wait for, and when it is there.
    pub dependencies: bool,
    /// Batches, as they are flushed.
    pub flushes: bool,
    /// Contexts, as they are entered, paused, resumed and left.
    pub contexts: bool,
    /// Synchronous calls.
    pub calls: bool,
    /// Where the scheduler stands ([`format_state`]) whenever no task can run: before each flush,
    /// and before each wait for something from elsewhere. And deadlocks.
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
        if switches.state && matches!(event, Event::FlushBegan { .. } | Event::Waited) {
            format_state().lines().for_each(&mut write);
        }
    })
}
