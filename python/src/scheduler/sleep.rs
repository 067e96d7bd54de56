//! The sleep of a scheduler at its inbox, and of calls that wait for permits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::ffi::gil_cell::TakeState;
use crate::imports;
use crate::loader::permits::{Limit, Permits};
use crate::scheduler::blocked_loops::Block;
use crate::scheduler::greenlets;
use crate::scheduler::inbox::{Deadline, Flight, Inbox, now};
use crate::scheduler::running::{running_function, running_loop};

/// Seconds after which a sleep begins anew. A signal that comes between the check for signals and the
/// sleep of the operating system waits until then, and so do permits of event loops that were closed.
const MAX_SLEEP: f64 = 0.5;

/// Seconds for which a call that blocks an event loop sleeps. Then it lets requests begin that wait for
/// coroutines of the loop, because one of them may be what it waits for.
const MAX_BLOCKED_SLEEP: f64 = 0.05;

impl Inbox {
    /// Sleeps until something has arrived or a deadline has passed.
    ///
    /// # Errors
    ///
    /// The error of a signal handler; `RuntimeError` if no flight is awaited, unless another greenlet
    /// flushes a batch (`other_flushes`) and can go on meanwhile.
    pub(crate) fn wait(self: &Arc<Self>, py: Python<'_>, other_flushes: bool) -> PyResult<()> {
        let function = running_function(py)?;
        let Some(function) = function else { return self.sleep(py, other_flushes) };
        if running_loop(py)?.is_some() {
            return self.sleep(py, other_flushes);
        }
        self.nest_flights(py)?;
        function.call_method0(intern!(py, "lend"))?;
        let waited = self.sleep(py, other_flushes);
        let taken_back = self.take_back(py, &function, waited.is_ok());
        waited.and(taken_back)
    }

    /// Waits until a function that has waited for a load may go on.
    pub(crate) fn take_back(
        self: &Arc<Self>,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        waits: bool,
    ) -> PyResult<()> {
        let permits = function.getattr(intern!(py, "permits"))?;
        let ring = if waits { Some(self.ring_later(py)?) } else { None };
        let can_go_on = function.call_method1(intern!(py, "take_back"), (ring,))?.is_truthy()?;
        let Ok(permits) = permits.cast_into::<Permits>() else { return Ok(()) };
        if can_go_on {
            return Ok(());
        }
        self.wait_for(&permits, None)
    }

    /// Acquires permits. Returns whether they were acquired within `timeout` seconds, and not given up
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// The error of a signal handler.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        permits: &Bound<'_, Permits>,
        timeout: Option<f64>,
    ) -> PyResult<bool> {
        let py = permits.py();
        let deadline = match timeout {
            Some(timeout) => Some(now(py)? + timeout),
            None => None,
        };
        Permits::acquire(permits, self.ring_later(py)?.into_any().unbind())?;
        self.wait_for(permits, deadline)?;
        Ok(Permits::can_go_on(permits) && !Permits::is_released(permits))
    }

    /// Returns a function that wakes the scheduler, if it sleeps.
    fn ring_later<'py>(self: &Arc<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyCFunction>> {
        let inbox = Arc::downgrade(self);
        let ring = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            if let Some(inbox) = inbox.upgrade() {
                inbox.ring(args.py());
            }
            PyResult::Ok(())
        };
        PyCFunction::new_closure(py, None, None, ring)
    }

    /// Waits until permits are acquired or not needed any more, or the deadline has passed.
    fn wait_for(
        self: &Arc<Self>,
        permits: &Bound<'_, Permits>,
        deadline: Option<f64>,
    ) -> PyResult<()> {
        let py = permits.py();
        if Permits::can_go_on(permits) {
            return Ok(());
        }
        let blocked = running_loop(py)?.map(Block::new);
        let _sleeper = self.sleeper();
        let doorbell = self.doorbell(py)?;
        let greenlet = self.blocking_greenlet(&doorbell)?;
        while !Permits::can_go_on(permits) {
            py.check_signals()?;
            if (blocked.is_some() || greenlet.is_some()) && Permits::is_blocked(permits, greenlet)?
            {
                Permits::share(permits)?;
                continue;
            }
            let max_sleep = if blocked.is_some() { MAX_BLOCKED_SLEEP } else { MAX_SLEEP };
            let seconds = match deadline {
                Some(deadline) => (deadline - now(py)?).min(max_sleep),
                None => max_sleep,
            };
            if seconds <= 0.0 {
                return Ok(());
            }
            if !ring_or_timeout(&doorbell, seconds)? {
                Permits::reclaim(permits)?;
            }
        }
        Ok(())
    }

    fn sleeper(&self) -> Sleeper<'_> {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        Sleeper(self)
    }

    fn sleep(self: &Arc<Self>, py: Python<'_>, other_flushes: bool) -> PyResult<()> {
        let waited = {
            let _sleeper = self.sleeper();
            self.sleep_at_doorbell(py, other_flushes)
        };
        // A call of a signal handler may have taken what the interrupted call sleeps for.
        self.ring(py);
        waited
    }

    fn sleep_at_doorbell(self: &Arc<Self>, py: Python<'_>, other_flushes: bool) -> PyResult<()> {
        let blocked = running_loop(py)?.map(Block::new);
        let doorbell = self.doorbell(py)?;
        let greenlet = self.blocking_greenlet(&doorbell)?;
        let nudges = self.contents.take(py).nudges;
        loop {
            // A signal that has come before the sleep does not interrupt it. The handler may run
            // calls, so this precedes the look at the contents.
            py.check_signals()?;
            if blocked.is_some() || greenlet.is_some() {
                self.begin_blocked_flights(py, greenlet)?;
            }
            let (deadline, has_flights) = {
                let contents = self.contents.take(py);
                let is_empty = contents.resolved.is_empty() && contents.arrived.is_empty();
                if !is_empty || contents.nudges != nudges {
                    return Ok(());
                }
                let first = contents.deadlines.first().map(|&(Deadline(deadline), _)| deadline);
                (first, !contents.flights.is_empty())
            };
            if !has_flights {
                check_others_can_run(&doorbell, other_flushes)?;
            }
            let seconds = match deadline {
                Some(deadline) => Some(deadline - now(py)?),
                None => None,
            };
            if seconds.is_some_and(|seconds| seconds <= 0.0) {
                return Ok(());
            }
            let max_sleep = if blocked.is_some() { MAX_BLOCKED_SLEEP } else { MAX_SLEEP };
            let seconds = seconds.map_or(max_sleep, |seconds: f64| seconds.min(max_sleep));
            if ring_or_timeout(&doorbell, seconds)? {
                continue;
            }
            self.permits(py).iter().try_for_each(Permits::reclaim)?;
            if blocked.is_some() {
                Limit::share_blocked(py)?;
            }
        }
    }

    /// Lets the flights begin that wait for permits of coroutines of blocked event loops, or of blocked
    /// greenlets: these give no permit back before the call that waits here has ended.
    fn begin_blocked_flights(&self, py: Python<'_>, greenlet: Option<usize>) -> PyResult<()> {
        for permits in self.permits(py) {
            if Permits::is_blocked(&permits, greenlet)? {
                Permits::share(&permits)?;
            }
        }
        Ok(())
    }

    /// Lets the flights have the permits that the function lends which waits for them.
    fn nest_flights(&self, py: Python<'_>) -> PyResult<()> {
        self.permits(py).iter().try_for_each(Permits::nest)
    }

    /// Returns the permits of the flights.
    fn permits<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, Permits>> {
        let flights: Vec<_> = {
            let contents = self.contents.take(py);
            contents.flights.values().map(|flight| flight.clone_ref(py)).collect()
        };
        let permits = |flight: &Py<Flight>| {
            let state = flight.bind(py).state();
            state.permits.as_ref().map(|permits| permits.bind(py).clone())
        };
        flights.iter().filter_map(permits).collect()
    }

    /// Returns the address if a wait at this doorbell blocks other greenlets of this thread.
    fn blocking_greenlet(self: &Arc<Self>, doorbell: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        Ok((greenlets::are_loaded() && blocks_thread(doorbell)?).then(|| self.address()))
    }

    fn doorbell<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(doorbell) = &self.contents.take(py).doorbell {
            return Ok(doorbell.bind(py).clone());
        }
        // Looked up each time, because gevent replaces the class.
        let doorbell = py.import(intern!(py, "queue"))?.call_method0(intern!(py, "SimpleQueue"))?;
        self.contents.take(py).doorbell = Some(doorbell.clone().unbind());
        Ok(doorbell)
    }
}

/// Counts a call that sleeps until it is dropped.
struct Sleeper<'a>(&'a Inbox);

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.sleepers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until a doorbell is rung, or for so many seconds. Returns whether it was rung.
fn ring_or_timeout(doorbell: &Bound<'_, PyAny>, seconds: f64) -> PyResult<bool> {
    let py = doorbell.py();
    match doorbell.call_method1(intern!(py, "get"), (true, seconds)) {
        Err(error) if !error.matches(py, imports::queue_empty(py)?)? => Err(error),
        answer => Ok(answer.is_ok()),
    }
}

/// Returns whether a wait at a doorbell blocks the thread: gevent and its like replace its class.
fn blocks_thread(doorbell: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(doorbell.get_type().module()? == "_queue")
}

/// Checks that a scheduler without flights need not wait for ever.
///
/// # Errors
///
/// `RuntimeError`, unless another greenlet flushes a batch and goes on while this one waits at the
/// doorbell: gevent and its like replace the class of the doorbell.
fn check_others_can_run(doorbell: &Bound<'_, PyAny>, other_flushes: bool) -> PyResult<()> {
    if !other_flushes {
        return Err(PyRuntimeError::new_err(
            "the scheduler cannot wait: no request of this thread is in flight",
        ));
    }
    if blocks_thread(doorbell)? {
        return Err(PyRuntimeError::new_err(
            "another greenlet of this thread is flushing the batch, and cannot go on while this one \
             waits: give each greenlet batches of its own",
        ));
    }
    Ok(())
}
