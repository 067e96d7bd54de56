//! Debugging: the asynq stack, the steps and the state of the scheduler, and helpers for tests of
//! batching.

mod dump;
mod event;
mod event_listeners;
mod listen;
#[cfg(feature = "tracing")]
mod spans;
mod state;
mod sync_point;

use std::error::Error;
use std::fmt;

pub use self::dump::{Dump, dump, dump_to};
pub use self::event::{Awaited, Batch, Context, Event, Task};
pub(crate) use self::event_listeners::EventListeners;
pub use self::listen::{Listening, listen};
#[cfg(feature = "tracing")]
pub use self::spans::trace;
pub use self::state::{dump_state, format_state};
pub use self::sync_point::{SyncPoint, sync, sync_in};
use crate::call_stack;
pub use crate::call_stack::{AsynqStack, Call};
use crate::scheduler::{self, Scheduler};

/// Returns the asynq stack of the running task, or `None` outside of tasks.
///
/// In a flush or a context, which the scheduler calls, the stack is that of the synchronous call that the
/// scheduler drives. The same applies to the worker threads of `Loader::blocking`.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let inner = || AsyncTask::new(async { debug::format_asynq_stack().unwrap() });
/// let outer = AsyncTask::new(async move { inner().await });
/// assert_eq!(outer.value().calls().len(), 2);
/// ```
#[must_use]
pub fn format_asynq_stack() -> Option<AsynqStack> {
    scheduler::with(Scheduler::stack).or_else(|| {
        let inherited = call_stack::inherited();
        (!inherited.calls().is_empty()).then_some(inherited)
    })
}

/// Prints [`format_asynq_stack`] to standard error.
pub fn dump_asynq_stack() {
    match format_asynq_stack() {
        Some(stack) => eprintln!("{stack}"),
        None => eprintln!("asynq stack: no task is running"),
    }
}

/// Error with the asynq stack of the task in which it occurred.
///
/// Use it as the error type of async functions: `?` converts any error to it, and records the stack. Its
/// `Display` form is that of the error. Its `Debug` form, which `unwrap` and `main` print, includes the
/// stack.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug::Traced};
/// use std::num::ParseIntError;
///
/// let parse = |text: &'static str| {
///     AsyncTask::new(async move { Ok::<u32, Traced<ParseIntError>>(text.parse()?) })
/// };
/// let error = parse("x").value().unwrap_err();
/// assert_eq!(error.stack().calls().len(), 1);
/// ```
pub struct Traced<E> {
    error: E,
    stack: AsynqStack,
}

impl<E> Traced<E> {
    /// Wraps `error` with the stack of the running task.
    pub fn new(error: E) -> Self {
        Self { error, stack: format_asynq_stack().unwrap_or_default() }
    }

    /// Returns the error.
    pub const fn error(&self) -> &E {
        &self.error
    }

    /// Returns the error without the stack.
    pub fn into_error(self) -> E {
        self.error
    }

    /// Returns the stack of the task in which the error occurred; empty outside of tasks.
    #[must_use]
    pub const fn stack(&self) -> &AsynqStack {
        &self.stack
    }
}

impl<E: Error> From<E> for Traced<E> {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl<E: fmt::Display> fmt::Display for Traced<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: fmt::Display> fmt::Debug for Traced<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.error, self.stack)
    }
}
