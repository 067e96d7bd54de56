//! `Limit` and `Permits` as Python sees them.

use std::collections::VecDeque;

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::loader::permits::{LIMITS, Limit, LimitState, Permits, PermitsState};

#[pymethods]
impl Limit {
    #[new]
    fn py_new(py: Python<'_>, permits: usize) -> PyResult<Bound<'_, Self>> {
        let limit = Bound::new(
            py,
            Self(GilCell::new(LimitState {
                permits,
                holders: Vec::new(),
                waiting: VecDeque::new(),
                lenders: Vec::new(),
                givers: Vec::new(),
            })),
        )?;
        let reference = PyWeakrefReference::new(&limit)?.unbind();
        let mut limits = LIMITS.take(py);
        // Looking at all of them whenever their number is a power of two is a constant cost each.
        if limits.len().is_power_of_two() {
            limits.retain(|limit| limit.bind(py).upgrade().is_some());
        }
        limits.push(reference);
        drop(limits);
        Ok(limit)
    }

    /// Number of permits, free or held.
    #[getter]
    fn _permits(slf: &Bound<'_, Self>) -> usize {
        slf.state().permits
    }

    /// Number of free permits.
    #[getter]
    fn _free(slf: &Bound<'_, Self>) -> usize {
        slf.state().free()
    }

    /// Number of requests that wait for a permit.
    #[getter]
    fn _waiting(slf: &Bound<'_, Self>) -> usize {
        slf.state().waiting.len()
    }

    /// Set while a thread is giving out permits.
    #[getter]
    fn _is_giving(slf: &Bound<'_, Self>) -> bool {
        !slf.state().givers.is_empty()
    }

    /// Takes all permits back, in a forked process.
    fn _reset(slf: &Bound<'_, Self>) {
        let before = {
            let mut state = slf.state();
            state.givers.clear();
            let lenders = std::mem::take(&mut state.lenders);
            (std::mem::take(&mut state.holders), std::mem::take(&mut state.waiting), lenders)
        };
        drop(before);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        state.holders.iter().try_for_each(|permits| visit.call(permits))?;
        state.lenders.iter().try_for_each(|permits| visit.call(permits))?;
        state.waiting.iter().try_for_each(|permits| visit.call(permits))
    }
}

#[pymethods]
impl Permits {
    /// `event_loop` is a weak reference to the event loop that has to go on for the permits to be
    /// given back.
    #[new]
    #[pyo3(signature = (limits, event_loop=None))]
    fn new(limits: Vec<Py<Limit>>, event_loop: Option<Py<PyAny>>) -> Self {
        Self(GilCell::new(PermitsState {
            limits,
            held: 0,
            is_released: false,
            waits: 0,
            lent: 0,
            is_nested: false,
            begin: None,
            beginning_in: None,
            flight: None,
            event_loop,
            greenlet: None,
        }))
    }

    /// Calls `begin()` once all permits are held, unless `release` is called before: now, or in the
    /// thread that releases one. If it raises, the permits are given back. It has to allow a second
    /// call, which follows if a signal handler has raised in the first.
    pub(crate) fn acquire(slf: &Bound<'_, Self>, begin: Py<PyAny>) -> PyResult<()> {
        slf.state().begin = Some(begin);
        Self::go_on(slf)
    }

    /// Gives all held permits back, and stops acquiring. Further calls have no effect.
    pub(crate) fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let before = {
            let mut state = slf.state();
            state.is_released = true;
            (state.begin.take(), state.flight.take())
        };
        drop(before);
        Self::give_all_back(slf).and(Self::end_loans(slf))
    }

    /// Returns whether the number of requests is limited.
    #[getter]
    fn is_limited(slf: &Bound<'_, Self>) -> bool {
        !slf.state().limits.is_empty()
    }

    /// Returns whether they were not all acquired yet.
    #[getter]
    fn is_waiting(slf: &Bound<'_, Self>) -> bool {
        slf.state().begin.is_some()
    }

    /// Takes the permit that is missing from coroutines of closed event loops, if these have it.
    #[pyo3(name = "reclaim")]
    fn py_reclaim(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::reclaim(slf)
    }

    #[pyo3(name = "nest")]
    fn py_nest(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::nest(slf)
    }

    /// Gives the permits to others while the function waits for a load: see `Note: lent permits`.
    pub(crate) fn lend(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (begin, limits) = {
            let mut state = slf.state();
            state.waits += 1;
            if state.waits > 1 || state.is_released {
                return Ok(());
            }
            let held = state.held;
            state.lent = state.lent.max(held);
            let limits = state.limits.iter().take(held);
            let limits: Vec<_> = limits.map(|limit| limit.bind(slf.py()).clone()).collect();
            (state.begin.take(), limits)
        };
        for limit in limits {
            limit.state().lenders.push(slf.clone().unbind());
        }
        let given = Self::give_all_back(slf);
        if let Some(begin) = begin {
            // Another coroutine of the function was about to go on, which it may without permits.
            begin.call0(slf.py())?;
        }
        given
    }

    /// Ends a wait of the function for a load, which has lent the permits. Returns whether the
    /// function can go on: otherwise `begin()` is called as soon as all permits are held again.
    /// Without `begin`, it goes on without them.
    pub(crate) fn take_back(slf: &Bound<'_, Self>, begin: Option<Py<PyAny>>) -> PyResult<bool> {
        let begin = {
            let mut state = slf.state();
            state.waits = state.waits.saturating_sub(1);
            let is_held = state.is_released || state.waits > 0 || state.limits.is_empty();
            begin.filter(|_| !is_held)
        };
        let Some(begin) = begin else {
            let is_waiting = slf.state().waits > 0;
            if !is_waiting {
                Self::end_loans(slf)?;
            }
            return Ok(true);
        };
        Self::acquire(slf, begin)?;
        Ok(Self::can_go_on(slf))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        state.limits.iter().try_for_each(|limit| visit.call(limit))?;
        visit.call(&state.begin)?;
        visit.call(&state.flight)?;
        visit.call(&state.event_loop)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut state = slf.state();
            (state.begin.take(), state.flight.take())
        };
        drop(before);
    }
}
