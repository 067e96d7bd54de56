//! Where am I, and what happens: the asynq stack, the steps of the scheduler, and what makes tests of
//! batching short.

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

/// Which async functions led to the task that runs now; `None` outside of tasks.
///
/// Where the scheduler itself calls code of yours, a flush or a context, they are those that led to the
/// synchronous call whose round it is; so, too, on another thread (`Loader::blocking`).
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

/// Prints [`format_asynq_stack`] on standard error.
pub fn dump_asynq_stack() {
    match format_asynq_stack() {
        Some(stack) => eprintln!("{stack}"),
        None => eprintln!("asynq stack: no task is running"),
    }
}

/// An error together with the asynq stack where it arose.
///
/// As the error type of async functions it takes any error by `?`, and keeps the stack of the task
/// in which that was. Its `Display` form is that of the error, its `Debug` form (which `unwrap` and
/// `main` print) has the stack too.
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
    /// `error`, which has just happened in the task that runs now.
    pub fn new(error: E) -> Self {
        Self { error, stack: format_asynq_stack().unwrap_or_default() }
    }

    /// The error.
    pub const fn error(&self) -> &E {
        &self.error
    }

    /// The error, without the stack.
    pub fn into_error(self) -> E {
        self.error
    }

    /// Which async functions led to the task in which it arose; empty if it arose outside of tasks.
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
