//! The inbox of a scheduler: everything that reaches it from other threads.
//!
//! # Note: one inbox, and no torn state
//!
//! A scheduler that has nothing to run sleeps at its inbox only, so whatever arrives wakes it: a
//! future that another thread has resolved, the answer of a flight, a deadline. The state changes
//! only here, under the GIL and without running Python code, so an exception of a signal handler
//! can't come in between. Such an exception can only come out of its sleep (`sleep.rs`), or out of the
//! handling of a flight, which then stays in the inbox.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use asynq_engine::Dependency;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::future::outcome::Outcome;
use crate::loader::permits::Permits;

/// Everything that other threads have for one scheduler, and the flights that it waits for.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(super) contents: GilCell<Contents>,
    /// Number of calls that sleep now: more than one if a signal handler calls the scheduler.
    pub(super) sleepers: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Contents {
    /// Futures of this scheduler that other threads have resolved, with the number that it had.
    pub(super) resolved: Vec<(u32, Dependency)>,
    /// Flights whose answer has arrived.
    pub(super) arrived: VecDeque<Py<Flight>>,
    /// Unfinished flights that this scheduler waits for, by their numbers.
    pub(super) flights: BTreeMap<u64, Py<Flight>>,
    /// Deadlines of these flights, the earliest first.
    pub(super) deadlines: BTreeSet<(Deadline, u64)>,
    /// The `queue.SimpleQueue` at which the scheduler sleeps, since its first sleep.
    pub(super) doorbell: Option<Py<PyAny>>,
    /// Number of calls of [`Inbox::nudge`].
    pub(super) nudges: u64,
    /// The event loop that runs the scheduler, weakly, and the callback that drives it.
    pub(super) event_loop: Option<(Py<PyWeakrefReference>, Py<PyAny>)>,
}

/// A time of `time.monotonic()`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Deadline(pub(super) f64);

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Returns the time of `time.monotonic()`.
pub(crate) fn now(py: Python<'_>) -> PyResult<f64> {
    py.import(intern!(py, "time"))?.call_method0(intern!(py, "monotonic"))?.extract()
}

/// The inboxes by the numbers of their schedulers. Those of ended threads are removed later.
static INBOXES: GilCell<BTreeMap<u32, Weak<Inbox>>> = GilCell::new(BTreeMap::new());

impl Inbox {
    /// Makes this the inbox of the scheduler with the number `id`.
    pub(crate) fn open(self: &Arc<Self>, py: Python<'_>, id: u32) {
        let mut inboxes = INBOXES.take(py);
        // Looking at all of them whenever their number is a power of two is a constant cost each.
        if inboxes.len().is_power_of_two() {
            inboxes.retain(|_, inbox| inbox.strong_count() > 0);
        }
        inboxes.insert(id, Arc::downgrade(self));
    }

    /// Returns the inbox of the scheduler with the number `id`, unless its thread has ended.
    pub(crate) fn of(py: Python<'_>, id: u32) -> Option<Arc<Self>> {
        INBOXES.take(py).get(&id).and_then(Weak::upgrade)
    }

    /// Makes whatever arrives wake an event loop, by `driver`.
    pub(crate) fn wake_loop(
        &self,
        py: Python<'_>,
        event_loop: Py<PyWeakrefReference>,
        driver: Py<PyAny>,
    ) {
        self.contents.take(py).event_loop = Some((event_loop, driver));
    }

    /// Returns the earliest deadline of the flights.
    pub(crate) fn first_deadline(&self, py: Python<'_>) -> Option<f64> {
        self.contents.take(py).deadlines.first().map(|&(Deadline(deadline), _)| deadline)
    }

    /// Returns the inboxes of all schedulers.
    fn all(py: Python<'_>) -> Vec<Arc<Self>> {
        INBOXES.take(py).values().filter_map(Weak::upgrade).collect()
    }

    /// Tells the scheduler that another thread has resolved one of its futures.
    pub(crate) fn post(&self, py: Python<'_>, id: u32, on: Dependency) {
        self.contents.take(py).resolved.push((id, on));
        self.ring(py);
    }

    /// Returns whether other threads have resolved futures of this scheduler, or it waits for flights.
    #[inline]
    pub(crate) fn has_news(&self, py: Python<'_>) -> bool {
        let contents = self.contents.take(py);
        !contents.resolved.is_empty() || !contents.flights.is_empty()
    }

    /// Takes the futures of the scheduler with the number `id` that other threads have resolved.
    #[inline]
    pub(crate) fn take_resolved(&self, py: Python<'_>, id: u32) -> Vec<Dependency> {
        let resolved = std::mem::take(&mut self.contents.take(py).resolved);
        resolved.into_iter().filter_map(|(to, on)| (to == id).then_some(on)).collect()
    }

    /// Returns whether the scheduler sleeps.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) > 0
    }

    /// Wakes the scheduler because a call in its thread has changed its state.
    pub(crate) fn nudge(&self, py: Python<'_>) {
        {
            let mut contents = self.contents.take(py);
            contents.nudges = contents.nudges.wrapping_add(1);
        }
        self.ring(py);
    }

    /// Wakes the scheduler, if it sleeps, and its event loop.
    pub(super) fn ring(&self, py: Python<'_>) {
        let bound = |(event_loop, driver): &(Py<PyWeakrefReference>, Py<PyAny>)| {
            (event_loop.bind(py).clone(), driver.bind(py).clone())
        };
        let event_loop = self.contents.take(py).event_loop.as_ref().map(bound);
        if let Some((event_loop, driver)) = event_loop
            && let Some(event_loop) = event_loop.upgrade()
        {
            // A closed loop runs nothing any more.
            let _ = event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (driver,));
        }
        let doorbell = {
            let contents = self.contents.take(py);
            let doorbell = contents.doorbell.as_ref().filter(|_| self.is_asleep());
            doorbell.map(|doorbell| doorbell.bind(py).clone())
        };
        let Some(doorbell) = doorbell else { return };
        if let Err(error) = doorbell.call_method1(intern!(py, "put"), (py.None(),)) {
            error.write_unraisable(py, None);
        }
    }

    /// Returns the next flight to handle: one whose answer has arrived, or else, with `true`, one
    /// whose deadline has passed. It stays in the inbox until it is finished.
    pub(crate) fn next_flight<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
    ) -> PyResult<Option<(Bound<'py, Flight>, bool)>> {
        loop {
            let arrived = match self.contents.take(py).arrived.front() {
                Some(flight) => flight.bind(py).clone(),
                None => break,
            };
            if Flight::is_awaited_at(&arrived, self) {
                return Ok(Some((arrived, false)));
            }
            // It is finished, or another thread waits for it now.
            let gone = self.contents.take(py).arrived.pop_front();
            drop(gone);
        }
        let Some((Deadline(deadline), number)) = self.contents.take(py).deadlines.first().copied()
        else {
            return Ok(None);
        };
        if now(py)? < deadline {
            return Ok(None);
        }
        let contents = self.contents.take(py);
        Ok(contents.flights.get(&number).map(|flight| (flight.bind(py).clone(), true)))
    }

    /// Returns whether there may be a flight to handle.
    #[inline]
    pub(crate) fn has_flights(&self, py: Python<'_>) -> bool {
        !self.contents.take(py).flights.is_empty()
    }

    /// Returns what identifies the scheduler of a greenlet.
    pub(crate) fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self) as usize
    }
}

/// One request in flight, as seen by the scheduler that waits for its answer.
///
/// The scheduler calls `request.deliver(answer)`, `request.fail(error)`, or `request.expire()` when
/// the deadline has passed. It does so again if an exception ends the call before the request has
/// called `finish()`.
#[pyclass(frozen, weakref, module = "asynq.loaders")]
pub(crate) struct Flight(pub(crate) GilCell<FlightState>);

has_state!(Flight: FlightState);

/// State of a [`Flight`].
#[derive(Default)]
pub(crate) struct FlightState {
    number: u64,
    /// The inboxes of the schedulers that wait, until the request is finished. They are several if a
    /// request has keys of batches that several threads wait for.
    inboxes: Vec<Arc<Inbox>>,
    pub(crate) request: Option<Py<PyAny>>,
    /// The `LoaderHost` of the request, and the number of its part.
    pub(crate) part: Option<(Py<PyAny>, u64)>,
    deadline: Option<Deadline>,
    pub(crate) answer: Answer,
    /// The permits of the request, until its function has ended or it is finished.
    pub(crate) permits: Option<Py<Permits>>,
    is_finished: bool,
    /// Number of times that its request has failed to handle the answer.
    failures: u32,
}

/// Answer to a request: a value, an error, or neither yet.
#[derive(Default)]
pub(crate) enum Answer {
    #[default]
    Pending,
    Value(Py<PyAny>),
    Error(Py<PyAny>),
}

impl Answer {
    pub(crate) fn of_error(py: Python<'_>, error: &PyErr) -> Self {
        match Outcome::from_err(py, error) {
            Outcome::Error(failure) => Self::Error(failure.error),
            Outcome::Value(_) | Outcome::Pending => Self::Pending,
        }
    }
}

impl Flight {
    pub(crate) fn of(request: Py<PyAny>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let request = Some(request);
        Self(GilCell::new(FlightState { number, request, ..FlightState::default() }))
    }

    /// Makes the scheduler with this inbox wait for the flight.
    pub(crate) fn wait_at(slf: &Bound<'_, Self>, inbox: &Arc<Inbox>) {
        let py = slf.py();
        let (number, deadline, has_arrived) = {
            let mut state = slf.state();
            if state.is_finished || state.inboxes.iter().any(|own| Arc::ptr_eq(own, inbox)) {
                return;
            }
            state.inboxes.push(Arc::clone(inbox));
            (state.number, state.deadline, !matches!(state.answer, Answer::Pending))
        };
        let mut contents = inbox.contents.take(py);
        contents.flights.insert(number, slf.clone().unbind());
        if let Some(deadline) = deadline {
            contents.deadlines.insert((deadline, number));
        }
        if has_arrived {
            contents.arrived.push_back(slf.clone().unbind());
        }
    }

    fn leave_inboxes(slf: &Bound<'_, Self>) {
        let (inboxes, number, deadline) = {
            let mut state = slf.state();
            (std::mem::take(&mut state.inboxes), state.number, state.deadline)
        };
        for inbox in inboxes {
            let removed = {
                let mut contents = inbox.contents.take(slf.py());
                if let Some(deadline) = deadline {
                    contents.deadlines.remove(&(deadline, number));
                }
                contents.flights.remove(&number)
            };
            drop(removed);
        }
    }

    fn is_awaited_at(slf: &Bound<'_, Self>, inbox: &Arc<Inbox>) -> bool {
        slf.state().inboxes.iter().any(|own| Arc::ptr_eq(own, inbox))
    }

    /// Changes the deadline, in any thread.
    pub(crate) fn set_deadline(slf: &Bound<'_, Self>, deadline: Option<f64>) {
        let py = slf.py();
        let deadline = deadline.map(Deadline);
        let (inboxes, number, before) = {
            let mut state = slf.state();
            if state.is_finished || state.deadline == deadline {
                return;
            }
            let before = std::mem::replace(&mut state.deadline, deadline);
            (state.inboxes.clone(), state.number, before)
        };
        for inbox in inboxes {
            {
                let mut contents = inbox.contents.take(py);
                if let Some(before) = before {
                    contents.deadlines.remove(&(before, number));
                }
                if let Some(deadline) = deadline {
                    contents.deadlines.insert((deadline, number));
                }
            }
            inbox.ring(py);
        }
    }

    /// Gives the flight its answer, in any thread. Only the first one counts.
    pub(crate) fn arrive(slf: &Bound<'_, Self>, answer: Answer) {
        let inboxes = {
            let mut state = slf.state();
            if state.is_finished || !matches!(state.answer, Answer::Pending) {
                return;
            }
            state.answer = answer;
            state.inboxes.clone()
        };
        for inbox in inboxes {
            inbox.contents.take(slf.py()).arrived.push_back(slf.clone().unbind());
            inbox.ring(slf.py());
        }
    }

    /// Ends the flight: no scheduler waits for it any more.
    pub(crate) fn finish(slf: &Bound<'_, Self>) {
        Self::leave_inboxes(slf);
        let before = {
            let mut state = slf.state();
            state.is_finished = true;
            (state.request.take(), state.part.take(), std::mem::take(&mut state.answer))
        };
        drop(before);
    }

    /// Counts a failure of its request to handle the answer. Returns their number.
    pub(crate) fn count_failure(slf: &Bound<'_, Self>) -> u32 {
        let mut state = slf.state();
        state.failures += 1;
        state.failures
    }

    pub(crate) fn is_finished(slf: &Bound<'_, Self>) -> bool {
        slf.state().is_finished
    }

    /// Returns all unfinished flights of this process that a scheduler waits for.
    pub(crate) fn all(py: Python<'_>) -> Vec<Py<Self>> {
        let of_inbox = |inbox: &Arc<Inbox>| -> Vec<_> {
            inbox.contents.take(py).flights.values().map(|flight| flight.clone_ref(py)).collect()
        };
        Inbox::all(py).iter().flat_map(of_inbox).collect()
    }
}
