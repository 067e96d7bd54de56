//! Timing of tasks without the time in which they wait.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use crate::context::AsyncContext;

/// Context that measures the time in which it is active: while its task runs, or the tasks that it awaits,
/// but not while other tasks or flushes run.
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
    /// Number of nested blocks in which the timer is active. Only the outermost counts.
    entered: Cell<u32>,
    /// Start of the current interval, if the timer is active.
    since: Cell<Option<Instant>>,
}

impl AsyncTimer {
    /// Creates a timer.
    pub fn new() -> Self {
        Self::with_clock(Instant::now)
    }

    /// Reads the time from `clock` instead of [`Instant::now`], for tests.
    pub fn with_clock(clock: impl Fn() -> Instant + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            total: Cell::default(),
            entered: Cell::default(),
            since: Cell::default(),
        }
    }

    /// Returns the total time in which it was active.
    pub fn total_time(&self) -> Duration {
        self.total.get() + self.running()
    }

    /// Returns the time since it was resumed.
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

    fn in_flushes(&self) -> bool {
        false
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
