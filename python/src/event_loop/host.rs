//! The event loop of a scheduler, as the scheduler sees it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use asynq_engine::TaskId;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::event_loop::call::{AsyncioCall, Listener};
use crate::ffi::context_vars::Context;
use crate::scheduler::inbox;

/// Number of turns of a loop without news after which it is taken for idle, on loops that do not show
/// what can run.
const QUIET_TURNS: u32 = 64;

/// The same on loops that show that something else can run: it may do so for ever.
const BUSY_TURNS: u32 = 24;

/// Seconds for which a batch waits at most, while something else on the loop can always run. Loaders
/// have their own `max_delay`.
const MAX_DELAY: f64 = 0.01;

/// An event loop that a scheduler runs on, and everything that the scheduler has to do there.
pub(crate) struct EventLoop {
    /// Weak reference to it.
    reference: Py<PyWeakrefReference>,
    /// The callback that drives the scheduler.
    driver: Py<PyAny>,
    /// Empty context of the callback.
    context: Context,
    /// Promise that is the root of the outermost call, while something is awaited.
    pub(crate) root: Cell<Option<TaskId>>,
    /// Calls that are to be started.
    pub(crate) fresh: RefCell<Vec<Py<AsyncioCall>>>,
    /// Calls that are to be cancelled.
    pub(crate) cancels: RefCell<Vec<Py<AsyncioCall>>>,
    /// Listeners of calls that have ended, which are to be called.
    pub(crate) listeners: RefCell<VecDeque<(Listener, Py<PyAny>)>>,
    /// Functions that the drive is to call when no context of a task is entered; see [`call_in_drive`](super::drive::call_in_drive).
    pub(crate) starts: RefCell<VecDeque<Py<PyAny>>>,
    /// Number of calls that have not ended.
    pub(crate) pending: Cell<usize>,
    /// The loop has a method `is_idle`.
    tells_idle: bool,
    is_scheduled: Cell<bool>,
    pub(crate) is_driving: Cell<bool>,
    quiet_turns: Cell<u32>,
    busy_since: Cell<Option<f64>>,
    search: Cell<Search>,
    /// Time of `time.monotonic()` at which the loop will drive the scheduler.
    timer: Cell<f64>,
}

/// State of the search for deadlocks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    No,
    Scheduled,
    Now,
}

impl EventLoop {
    pub(crate) fn new(
        event_loop: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
        driver: Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = event_loop.py();
        Ok(Self {
            reference,
            driver: driver.unbind(),
            context: Context::empty(py)?,
            root: Cell::new(None),
            fresh: RefCell::default(),
            cancels: RefCell::default(),
            listeners: RefCell::default(),
            starts: RefCell::default(),
            pending: Cell::new(0),
            tells_idle: event_loop.hasattr(intern!(py, "is_idle"))?,
            is_scheduled: Cell::new(false),
            is_driving: Cell::new(false),
            quiet_turns: Cell::new(0),
            busy_since: Cell::new(None),
            search: Cell::new(Search::No),
            timer: Cell::new(0.0),
        })
    }

    /// Returns the event loop, unless it is gone.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.reference.bind(py).upgrade()
    }

    /// Makes the loop drive the scheduler soon. An error is that of a closed loop.
    pub(crate) fn schedule(&self, py: Python<'_>) -> PyResult<()> {
        self.quiet_turns.set(0);
        if self.is_driving.get() { Ok(()) } else { self.schedule_turn(py) }
    }

    /// Makes the loop drive the scheduler in its next turn.
    pub(crate) fn schedule_turn(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_scheduled.get() {
            return Ok(());
        }
        let Some(event_loop) = self.get(py) else { return Ok(()) };
        // The loop copies the context in which this is called.
        self.context.enter(py)?;
        let scheduled = event_loop.call_method1(intern!(py, "call_soon"), (&self.driver,));
        self.context.exit(py)?;
        scheduled?;
        self.is_scheduled.set(true);
        Ok(())
    }

    /// Makes the loop drive the scheduler when nothing else can run, if it tells, or else in its next turn.
    pub(crate) fn schedule_check(&self, py: Python<'_>) -> PyResult<()> {
        let Some(event_loop) = self.get(py) else { return Ok(()) };
        let Some(call) = event_loop.getattr_opt(intern!(py, "call_when_idle"))? else {
            return self.schedule_turn(py);
        };
        call.call1((&self.driver,))?;
        self.schedule_at(py, inbox::now(py)? + MAX_DELAY)
    }

    /// Returns what another thread calls to make the loop drive the scheduler.
    pub(crate) fn driver<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.driver.bind(py).clone()
    }

    /// Makes the loop drive the scheduler at a time of `time.monotonic()`.
    pub(crate) fn schedule_at(&self, py: Python<'_>, time: f64) -> PyResult<()> {
        if self.timer.replace(time).total_cmp(&time).is_eq() {
            return Ok(());
        }
        let Some(event_loop) = self.get(py) else { return Ok(()) };
        let delay = (time - inbox::now(py)?).max(0.0);
        event_loop.call_method1(intern!(py, "call_later"), (delay, &self.driver)).map(|_| ())
    }

    /// Notes that the loop has called the driver.
    pub(crate) fn begin_turn(&self) {
        self.is_scheduled.set(false);
    }

    /// Returns whether nothing else on the loop can run.
    pub(crate) fn is_idle(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(event_loop) = self.get(py) else { return Ok(true) };
        if self.tells_idle && event_loop.call_method0(intern!(py, "is_idle"))?.is_truthy()? {
            return Ok(true);
        }
        let max_turns = match event_loop.getattr_opt(intern!(py, "_ready"))? {
            Some(ready) if ready.len()? == 0 => return Ok(true),
            Some(_) => BUSY_TURNS,
            None => QUIET_TURNS,
        };
        let turns = self.quiet_turns.get() + 1;
        self.quiet_turns.set(turns);
        Ok(turns > max_turns)
    }

    /// Notes that a batch is flushed because the loop was idle, or that no batch waits.
    pub(crate) fn end_busy(&self) {
        self.busy_since.set(None);
        self.quiet_turns.set(0);
    }

    /// Returns the time of the loop, and whether batches have waited long enough for it to become idle.
    pub(crate) fn busy_time(&self, py: Python<'_>) -> PyResult<(f64, bool)> {
        let Some(event_loop) = self.get(py) else { return Ok((0.0, true)) };
        let now: f64 = event_loop.call_method0(intern!(py, "time"))?.extract()?;
        let since = self.busy_since.get().unwrap_or(now);
        self.busy_since.set(Some(since));
        Ok((now, now - since >= MAX_DELAY))
    }

    /// Returns whether there are calls to start or cancel, or listeners to call.
    pub(crate) fn has_more(&self) -> bool {
        !(self.fresh.borrow().is_empty()
            && self.cancels.borrow().is_empty()
            && self.listeners.borrow().is_empty())
    }

    /// Returns whether the loop will look for deadlocks.
    pub(crate) fn is_search_scheduled(&self) -> bool {
        self.search.get() != Search::No
    }

    /// Notes that the loop will look for deadlocks.
    pub(crate) fn set_search_scheduled(&self) {
        self.search.set(Search::Scheduled);
    }

    /// Returns the callback that looks for deadlocks.
    pub(crate) fn searcher<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import(intern!(py, "functools"))?
            .call_method1(intern!(py, "partial"), (&self.driver, true))
    }

    /// Notes that the time has come to look for deadlocks.
    pub(crate) fn begin_search(&self) {
        self.search.set(Search::Now);
    }

    /// Returns whether the time has come to look for deadlocks.
    pub(crate) fn take_search(&self) -> bool {
        let is_now = self.search.get() == Search::Now;
        if is_now {
            self.search.set(Search::No);
        }
        is_now
    }

    /// Takes everything that the scheduler still had to do.
    pub(crate) fn take_rest(&self) -> impl Sized + use<> {
        self.pending.set(0);
        (self.fresh.take(), self.cancels.take(), self.listeners.take(), self.starts.take())
    }
}

/// Makes the error of a call outside of event loops.
pub(crate) fn no_running_loop() -> PyErr {
    PyRuntimeError::new_err(
        "this call has to be awaited on an asyncio event loop: use asyncio.run(...) around it",
    )
}
