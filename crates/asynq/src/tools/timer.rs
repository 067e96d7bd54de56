//! How long something took, without the time in which it waited.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use crate::context::AsyncContext;

/// A context that adds up for how long it was active: while its task ran, or what that awaited, and
/// not while other tasks or flushes did.
///
/// ```
/// use std::rc::Rc;
/// use asynq::{AsyncTask, FutureBase, debug, tools::AsyncTimer, with_context};
///
/// let timer = Rc::new(AsyncTimer::new());
/// let timed = with_context(Rc::clone(&timer), async {
///     debug::sync().await;
/// });
/// AsyncTask::new(timed).value();
/// println!("it took {:?}", timer.total_time());
/// ```
pub struct AsyncTimer {
    clock: Box<dyn Fn() -> Instant>,
    total: Cell<Duration>,
    /// How often it was entered and not left: an inner block is a part of the outer one.
    entered: Cell<u32>,
    /// When it became active, if it is.
    since: Cell<Option<Instant>>,
}

impl AsyncTimer {
    /// A timer that has measured nothing yet.
    pub fn new() -> Self {
        Self::with_clock(Instant::now)
    }

    /// Lets `clock` say what time it is, instead of [`Instant::now`]: for tests.
    pub fn with_clock(clock: impl Fn() -> Instant + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            total: Cell::default(),
            entered: Cell::default(),
            since: Cell::default(),
        }
    }

    /// For how long it was active so far.
    pub fn total_time(&self) -> Duration {
        self.total.get() + self.running()
    }

    /// For how long it has been active without a pause.
    fn running(&self) -> Duration {
        let elapsed = |since| (self.clock)().saturating_duration_since(since);
        self.since.get().map(elapsed).unwrap_or_default()
    }
}

impl AsyncContext for AsyncTimer {
    fn resume(&self) {
        if self.entered.get() == 0 {
            self.since.set(Some((self.clock)()));
        }
        self.entered.set(self.entered.get() + 1);
    }

    fn pause(&self) {
        self.entered.set(self.entered.get() - 1);
        if self.entered.get() == 0 {
            self.total.set(self.total_time());
            self.since.set(None);
        }
    }
}

impl Default for AsyncTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AsyncTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTimer").field("total", &self.total).finish_non_exhaustive()
    }
}
