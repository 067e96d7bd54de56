//! Permits: limits on the number of requests in flight.
//!
//! # Note: no torn permit
//!
//! Everything here happens under the GIL and without running Python code, apart from `begin()`. A
//! permit is free, or held by one `Permits` object, whatever a signal handler raises.
//!
//! # Note: lent permits
//!
//! A function that waits for another load holds no permit meanwhile: it lends its permits, and takes
//! them back, before all others, when it goes on. So every permit is held by a function that does not
//! wait for one, and permits alone cannot deadlock. A lent permit is only for *nested* requests, which
//! functions wait for: were it for all, the function would wait for theirs to end. What remains is a
//! thread that waits in a synchronous call, so that no coroutine of its event loop and no other greenlet
//! can give a permit back. If these hold all permits, a request of that call begins beyond the limit
//! ([`Permits::share`]).

use std::collections::VecDeque;
use std::thread::ThreadId;

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::scheduler::blocked_loops;

/// A number of permits, which are given out in the order in which they were asked for.
#[pyclass(frozen, weakref, module = "asynq.loaders")]
pub(crate) struct Limit(pub(super) GilCell<LimitState>);

has_state!(Limit: LimitState);

/// Weak references to all limits. Those to limits that are gone are removed later.
pub(super) static LIMITS: GilCell<Vec<Py<PyWeakrefReference>>> = GilCell::new(Vec::new());

/// State of a [`Limit`].
pub(crate) struct LimitState {
    pub(super) permits: usize,
    /// Requests that hold a permit. More than there are permits only if the others go on only after
    /// one of them: a signal handler has asked for it while its thread began a request, or a
    /// synchronous call blocks the event loop of the others.
    pub(super) holders: Vec<Py<Permits>>,
    pub(super) waiting: VecDeque<Py<Permits>>,
    /// Requests that have lent their permit, and did not take it back yet.
    pub(super) lenders: Vec<Py<Permits>>,
    /// Threads that give out permits. None of them begins to do so again inside of that, because
    /// `begin()` may give its permit back, and thousands may wait.
    pub(super) givers: Vec<ThreadId>,
}

impl LimitState {
    pub(super) fn free(&self) -> usize {
        self.permits.saturating_sub(self.holders.len())
    }

    /// Returns the requests that hold a permit, or have lent it.
    fn owners(&self, py: Python<'_>) -> Vec<Py<Permits>> {
        self.holders.iter().chain(&self.lenders).map(|owner| owner.clone_ref(py)).collect()
    }

    /// Returns whether there is a permit for a request.
    fn has_permit_for(&self, permits: &Bound<'_, Permits>) -> bool {
        let py = permits.py();
        if Permits::can_borrow(permits) || self.lenders.is_empty() {
            return self.free() > 0;
        }
        let nested =
            self.holders.iter().filter(|holder| Permits::can_borrow(holder.bind(py))).count();
        self.free() > self.lenders.len().saturating_sub(nested)
    }

    /// Gives a request a permit. Returns what it has lent.
    fn hold(&mut self, permits: &Bound<'_, Permits>) -> Option<Py<Permits>> {
        self.holders.push(permits.clone().unbind());
        self.end_loan(permits)
    }

    fn end_loan(&mut self, permits: &Bound<'_, Permits>) -> Option<Py<Permits>> {
        let index = self.lenders.iter().position(|lender| lender.is(permits));
        index.map(|index| self.lenders.swap_remove(index))
    }
}

impl Limit {
    /// Takes a permit, or else queues for one. Returns whether it was taken.
    fn take_or_wait(slf: &Bound<'_, Self>, permits: &Bound<'_, Permits>) -> PyResult<bool> {
        let is_in_begin = Self::is_beginning_here(slf);
        {
            let mut state = slf.state();
            if is_in_begin || (state.waiting.is_empty() && state.has_permit_for(permits)) {
                let before = state.hold(permits);
                drop(state);
                drop(before);
                return Ok(true);
            }
        }
        if Permits::blocks_nested(permits) {
            permits.state().is_nested = true;
        }
        {
            let mut state = slf.state();
            let waiting = permits.clone().unbind();
            if permits.state().lent > 0 {
                state.waiting.push_front(waiting);
            } else {
                state.waiting.push_back(waiting);
            }
        }
        Self::take_from_closed_loops(slf)?;
        if Permits::can_borrow(permits) {
            Self::nest_holders(slf)?;
        }
        Self::give(slf)?;
        Ok(false)
    }

    /// Makes the holders nested that wait for another limit, because a nested request waits for them.
    fn nest_holders(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let holders: Vec<_> =
            slf.state().holders.iter().map(|holder| holder.clone_ref(py)).collect();
        holders.iter().try_for_each(|holder| {
            let holder = holder.bind(py);
            let waits = Permits::missing(holder).is_some_and(|other| !other.is(slf));
            if waits { Permits::nest(holder) } else { Ok(()) }
        })
    }

    /// Takes the permits back that coroutines of closed event loops hold: these never go on.
    fn take_from_closed_loops(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let owners = slf.state().owners(py);
        for holder in owners {
            let holder = holder.bind(py);
            if Permits::is_of_closed_loop(holder)? {
                Permits::release(holder)?;
            }
        }
        Ok(())
    }

    /// Returns whether this thread is in the `begin()` of a request that holds a permit.
    fn is_beginning_here(slf: &Bound<'_, Self>) -> bool {
        let this_thread = Some(std::thread::current().id());
        let is_here =
            |holder: &Py<Permits>| holder.bind(slf.py()).state().beginning_in == this_thread;
        slf.state().holders.iter().any(is_here)
    }

    /// Takes a request out of the queue.
    fn leave_queue(slf: &Bound<'_, Self>, permits: &Bound<'_, Permits>) {
        let removed = {
            let mut state = slf.state();
            let index = state.waiting.iter().position(|waiting| waiting.is(permits));
            index.and_then(|index| state.waiting.remove(index))
        };
        drop(removed);
    }

    fn give_back(slf: &Bound<'_, Self>, permits: &Bound<'_, Permits>) {
        let holder = {
            let mut state = slf.state();
            // After a fork, the child has taken all of them back.
            let index = state.holders.iter().position(|holder| holder.is(permits));
            index.map(|index| state.holders.swap_remove(index))
        };
        drop(holder);
    }

    /// Gives the free permits to those that wait.
    fn give(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this_thread = std::thread::current().id();
        let mut result = Ok(());
        loop {
            let permits = {
                let mut state = slf.state();
                if state.free() == 0 || state.givers.contains(&this_thread) {
                    break;
                }
                let next =
                    state.waiting.iter().position(|next| state.has_permit_for(next.bind(slf.py())));
                let next = next.and_then(|next| state.waiting.remove(next));
                let Some(permits) = next.map(|next| next.into_bound(slf.py())) else { break };
                let before = state.hold(&permits);
                state.givers.push(this_thread);
                drop(state);
                drop(before);
                permits
            };
            let begun = if Permits::is_released(&permits) {
                Self::give_back(slf, &permits);
                Ok(())
            } else {
                permits.state().held += 1;
                Permits::go_on(&permits)
            };
            slf.state().givers.retain(|&giver| giver != this_thread);
            result = result.and(begun);
        }
        result
    }

    /// Lets all requests begin that wait for permits of coroutines of blocked event loops: a loop may
    /// be blocked until they have ended.
    pub(crate) fn share_blocked(py: Python<'_>) -> PyResult<()> {
        let limits: Vec<_> = LIMITS.take(py).iter().map(|limit| limit.clone_ref(py)).collect();
        let limits = limits.iter().filter_map(|limit| limit.bind(py).upgrade()?.cast_into().ok());
        let mut result = Ok(());
        for limit in limits {
            let limit: Bound<'_, Self> = limit;
            let waiting: Vec<_> =
                limit.state().waiting.iter().map(|waiting| waiting.clone_ref(py)).collect();
            for permits in waiting {
                let permits = permits.bind(py);
                let shared = match Permits::is_blocked(permits, None) {
                    Ok(true) => Permits::share(permits),
                    other => other.map(|_| ()),
                };
                result = result.and(shared);
            }
        }
        result
    }
}

/// The permits of one request: one permit of each of several limits.
#[pyclass(frozen, module = "asynq.loaders")]
pub(crate) struct Permits(pub(super) GilCell<PermitsState>);

has_state!(Permits: PermitsState);

/// State of [`Permits`].
pub(crate) struct PermitsState {
    /// Always acquired in the same order, so that two requests cannot deadlock.
    pub(super) limits: Vec<Py<Limit>>,
    /// Number of limits of which a permit is held.
    pub(super) held: usize,
    pub(super) is_released: bool,
    /// Number of loads that the function waits for.
    pub(super) waits: usize,
    /// Number of limits of which it has lent permits, and did not take them all back.
    pub(super) lent: usize,
    /// A function of a loader waits for the request.
    pub(super) is_nested: bool,
    pub(super) begin: Option<Py<PyAny>>,
    /// The thread that is in `begin()`.
    pub(super) beginning_in: Option<ThreadId>,
    /// The flight that is told when it begins, or why it cannot.
    pub(super) flight: Option<Py<PyAny>>,
    /// A weak reference to the event loop of the coroutine that asks for the permits.
    pub(super) event_loop: Option<Py<PyAny>>,
    /// Thread and greenlet in which the function runs, if the caller waits there.
    pub(super) greenlet: Option<(ThreadId, usize)>,
}

impl Permits {
    pub(crate) fn is_released(slf: &Bound<'_, Self>) -> bool {
        slf.state().is_released
    }

    fn is_of_closed_loop(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let Some(event_loop) = Self::event_loop(slf)? else { return Ok(false) };
        Ok(event_loop.is_none()
            || event_loop.call_method0(intern!(slf.py(), "is_closed"))?.is_truthy()?)
    }

    /// Returns the event loop that has to go on for the permits to be given back: Python's `None` if
    /// it is gone.
    fn event_loop<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let event_loop = slf.state().event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py));
        event_loop.map(|event_loop| event_loop.bind(py).call0()).transpose()
    }

    /// Returns whether it waits for a permit, and none is given back, because all are held by coroutines
    /// of event loops that are blocked, by functions in other greenlets of this thread than `greenlet`,
    /// which blocks these, or by requests that wait for a permit of another limit in the same way.
    pub(crate) fn is_blocked(slf: &Bound<'_, Self>, greenlet: Option<usize>) -> PyResult<bool> {
        let py = slf.py();
        let Some(limit) = Self::missing(slf) else { return Ok(false) };
        // A nested request can get what others have lent.
        let owners = if Self::can_borrow(slf) {
            limit.state().holders.iter().map(|holder| holder.clone_ref(py)).collect()
        } else {
            limit.state().owners(py)
        };
        for owner in &owners {
            let owner = owner.bind(py);
            let is_in_greenlet = Self::is_in_other_greenlet(owner, greenlet);
            let event_loop = Self::event_loop(owner)?;
            let is_on_loop = event_loop.is_some_and(|one| blocked_loops::contains(&one));
            let missing = Self::missing(owner);
            // One that takes back what it has lent waits for the others, too.
            let waits_here = missing.as_ref().is_some_and(|other| other.is(&limit));
            if is_in_greenlet || is_on_loop || waits_here || owner.is(slf) {
                continue;
            }
            // This ends, because all requests wait for the limits in the same order, and one that takes
            // back what it has lent is not followed.
            let has_lent = owner.state().lent > 0;
            if missing.is_none() || has_lent || !Self::is_blocked(owner, greenlet)? {
                return Ok(false);
            }
        }
        Ok(!owners.is_empty())
    }

    /// Returns whether it may have a permit that others have lent.
    fn can_borrow(slf: &Bound<'_, Self>) -> bool {
        let state = slf.state();
        state.is_nested || state.lent > 0
    }

    /// Notes that the function runs in `greenlet`, the one that calls this.
    pub(crate) fn runs_in(slf: &Bound<'_, Self>, greenlet: usize) {
        slf.state().greenlet = Some((std::thread::current().id(), greenlet));
    }

    fn is_in_other_greenlet(slf: &Bound<'_, Self>, greenlet: Option<usize>) -> bool {
        let here = greenlet.zip(slf.state().greenlet);
        here.is_some_and(|(greenlet, (thread, other))| {
            thread == std::thread::current().id() && other != greenlet
        })
    }

    /// Returns the limit of which it waits for a permit.
    fn missing<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Limit>> {
        let state = slf.state();
        if state.is_released || state.begin.is_none() {
            return None;
        }
        state.limits.get(state.held).map(|limit| limit.bind(slf.py()).clone())
    }

    /// Takes the permit that is missing beyond the limit, because its holders go on only when this
    /// request has ended.
    pub(crate) fn share(slf: &Bound<'_, Self>) -> PyResult<()> {
        let Some(limit) = Self::missing(slf) else { return Ok(()) };
        Limit::leave_queue(&limit, slf);
        let before = limit.state().hold(slf);
        drop(before);
        slf.state().held += 1;
        Self::go_on(slf)
    }

    /// Takes the permit that is missing from coroutines of closed event loops, if these have it. A loop that
    /// is closed tells nobody, so those who wait look from time to time.
    pub(crate) fn reclaim(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::missing(slf).map_or(Ok(()), |limit| Limit::take_from_closed_loops(&limit))
    }

    /// Notes that a function of a loader waits for the request: it may have a lent permit.
    pub(crate) fn nest(slf: &Bound<'_, Self>) -> PyResult<()> {
        let was_nested = std::mem::replace(&mut slf.state().is_nested, true);
        match Self::missing(slf) {
            Some(limit) if !was_nested => {
                Limit::nest_holders(&limit)?;
                Limit::give(&limit)
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a nested request waits for a permit that it holds.
    fn blocks_nested(slf: &Bound<'_, Self>) -> bool {
        let py = slf.py();
        let held: Vec<_> = {
            let state = slf.state();
            state.limits.iter().take(state.held).map(|limit| limit.bind(py).clone()).collect()
        };
        held.iter().any(|limit| {
            limit.state().waiting.iter().any(|waiting| Self::can_borrow(waiting.bind(py)))
        })
    }

    /// Gives up the permits that it has lent.
    pub(super) fn end_loans(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let limits: Vec<_> = {
            let mut state = slf.state();
            let lent = std::mem::take(&mut state.lent);
            state.limits.iter().take(lent).map(|limit| limit.bind(py).clone()).collect()
        };
        for limit in &limits {
            let before = limit.state().end_loan(slf);
            drop(before);
        }
        limits.iter().try_for_each(Limit::give)
    }

    /// Gives all held permits back, and leaves the queue of the next.
    pub(super) fn give_all_back(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (limits, next) = {
            let mut state = slf.state();
            let held = std::mem::take(&mut state.held);
            let mut limits = state.limits.iter().map(|limit| limit.bind(py).clone());
            let held: Vec<_> = limits.by_ref().take(held).collect();
            (held, limits.next())
        };
        if let Some(next) = next {
            Limit::leave_queue(&next, slf);
        }
        for limit in &limits {
            Limit::give_back(limit, slf);
        }
        limits.iter().try_for_each(Limit::give)
    }

    /// Returns whether all permits are held, or none is needed any more.
    pub(crate) fn can_go_on(slf: &Bound<'_, Self>) -> bool {
        let state = slf.state();
        state.is_released || state.waits > 0 || state.held == state.limits.len()
    }

    /// Acquires the permits that are missing, and begins once all are held.
    pub(super) fn go_on(slf: &Bound<'_, Self>) -> PyResult<()> {
        loop {
            let limit = {
                let state = slf.state();
                if state.is_released {
                    return Ok(());
                }
                state.limits.get(state.held).map(|limit| limit.bind(slf.py()).clone())
            };
            let Some(limit) = limit else { return Self::begin(slf) };
            if !Limit::take_or_wait(&limit, slf)? {
                return Ok(());
            }
            slf.state().held += 1;
        }
    }

    fn begin(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (begin, flight) = {
            let mut state = slf.state();
            state.lent = 0;
            (state.begin.take(), state.flight.take())
        };
        let Some(begin) = begin else { return Ok(()) };
        let flight = flight.map(|flight| flight.into_bound(py));
        slf.state().beginning_in = Some(std::thread::current().id());
        let take_keys = intern!(py, "take_keys");
        let taken = flight.as_ref().map_or(Ok(()), |one| one.call_method0(take_keys).map(|_| ()));
        let first = taken.and_then(|()| begin.call0(py));
        let is_interrupt =
            first.as_ref().is_err_and(|error| !error.is_instance_of::<PyRuntimeError>(py));
        let has_begun = if is_interrupt { begin.call0(py).is_ok() } else { false };
        slf.state().beginning_in = None;
        let Err(error) = first else { return Ok(()) };
        if has_begun {
            // It was the exception of a signal handler.
            return Err(error);
        }
        if let Some(flight) = &flight {
            flight.call_method1(intern!(py, "set_error"), (error.value(py),))?;
        }
        let released = Self::release(slf);
        if error.is_instance_of::<PyException>(py) { released } else { Err(error) }
    }

    /// Acquires the permits for a flight, which begins once all are held.
    pub(crate) fn acquire_for(
        slf: &Bound<'_, Self>,
        flight: &Bound<'_, PyAny>,
        begin: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.state().flight = Some(flight.clone().unbind());
        Self::acquire(slf, begin.clone().unbind())
    }
}
