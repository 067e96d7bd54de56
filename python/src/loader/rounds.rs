//! `Rounds`: the rounds of a loader in one thread.

use pyo3::prelude::*;
use pyo3::types::{PySet, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::batch::flights;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::loader::load::Load;
use crate::loader::round::RoundBase;
use crate::task::async_task::AsyncTask;

/// The rounds of a loader in one thread that have not ended.
#[pyclass(frozen, weakref, module = "asynq.loaders")]
#[derive(Default)]
pub(crate) struct Rounds(GilCell<Unended>);

has_state!(Rounds: Unended);

/// State of [`Rounds`].
#[derive(Default)]
pub(crate) struct Unended {
    open: Option<Open>,
    /// Rounds that are being flushed or are in flight.
    sent: Vec<Py<RoundBase>>,
}

/// Reference to the round that takes keys.
enum Open {
    Strong(Py<RoundBase>),
    /// Round of a bound loader: it refers to the instance, and the instance must die if nobody has a
    /// load of it.
    Weak(Py<PyWeakrefReference>),
}

impl Open {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Strong(round) => Self::Strong(round.clone_ref(py)),
            Self::Weak(round) => Self::Weak(round.clone_ref(py)),
        }
    }

    fn upgrade(self, py: Python<'_>) -> Option<Bound<'_, RoundBase>> {
        match self {
            Self::Strong(round) => Some(round.into_bound(py)),
            Self::Weak(round) => round.bind(py).upgrade()?.cast_into().ok(),
        }
    }
}

impl Rounds {
    /// Returns the load of an equal key that is on its way.
    pub(crate) fn find<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Load>>> {
        let open = Self::open(slf);
        let others = !slf.state().sent.is_empty();
        if let Some(open) = open
            && let Some(load) = RoundBase::find(&open, key)?
        {
            return Ok(Some(load));
        }
        if others {
            for round in Self::sent(slf) {
                if BatchBase::is_in_flight(round.as_super())
                    && let Some(load) = RoundBase::find(&round, key)?
                {
                    return Ok(Some(load));
                }
            }
        }
        Ok(None)
    }

    /// Makes a round the one that takes keys: of a bound loader, as long as somebody holds a load.
    pub(crate) fn set_open(
        slf: &Bound<'_, Self>,
        round: &Bound<'_, RoundBase>,
        is_bound: bool,
    ) -> PyResult<()> {
        let open = if is_bound {
            Open::Weak(PyWeakrefReference::new(round)?.unbind())
        } else {
            Open::Strong(round.clone().unbind())
        };
        let before = slf.state().open.replace(open);
        if let Some(Open::Strong(before)) = before {
            defer_drop(Some(before));
        }
        Ok(())
    }

    /// Returns the round that takes keys. It is none if it is being flushed: a signal handler may
    /// call the loader before the round is closed, or prevent that by an exception.
    pub(crate) fn open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, RoundBase>> {
        let open = Self::last_open(slf)?;
        let is_open = !open.as_super().state().flushing && !BatchBase::is_flushed(open.as_super());
        is_open.then_some(open)
    }

    fn last_open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, RoundBase>> {
        let open = slf.state().open.as_ref().map(|open| open.clone_ref(slf.py()))?;
        open.upgrade(slf.py())
    }

    /// Returns the rounds whose values have not arrived.
    fn sent<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, RoundBase>> {
        let py = slf.py();
        let rounds: Vec<_> = slf.state().sent.iter().map(|round| round.bind(py).clone()).collect();
        // A signal handler may have kept one from being removed when it ended.
        rounds.into_iter().filter(|round| !BatchBase::is_flushed(round.as_super())).collect()
    }
}

#[pymethods]
impl Rounds {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Round that takes keys, if any.
    #[getter(open)]
    fn py_open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, RoundBase>> {
        Self::open(slf)
    }

    /// Rounds that are being flushed or are in flight.
    #[getter(sent)]
    fn py_sent<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, RoundBase>> {
        Self::sent(slf)
    }

    /// Closes a round: it takes no more keys. From now on it is being flushed, unless it is resolved.
    fn close(slf: &Bound<'_, Self>, round: &Bound<'_, RoundBase>) {
        let is_open = Self::last_open(slf).is_some_and(|open| open.is(round));
        let sent = Self::sent(slf);
        let is_new =
            !BatchBase::is_flushed(round.as_super()) && !sent.iter().any(|other| other.is(round));
        let sent = sent.into_iter().map(Bound::unbind);
        let sent = sent.chain(is_new.then(|| round.clone().unbind())).collect();
        let before = {
            let mut unended = slf.state();
            (is_open.then(|| unended.open.take()), std::mem::replace(&mut unended.sent, sent))
        };
        drop(before);
    }

    /// Ends the flush of a round: its values arrive when `flush_task` has ended, or else from
    /// outside, unless its `unfinished` requests have finished.
    #[pyo3(signature = (round, unfinished, flush_task=None))]
    fn start_flight(
        slf: &Bound<'_, Self>,
        round: &Bound<'_, RoundBase>,
        unfinished: &Bound<'_, PySet>,
        flush_task: Option<&Bound<'_, AsyncTask>>,
    ) {
        if unfinished.is_empty() {
            Self::complete(slf, round);
        } else {
            flights::start(round.as_super(), flush_task);
        }
    }

    /// Removes a round from those that were sent.
    fn complete(slf: &Bound<'_, Self>, round: &Bound<'_, RoundBase>) {
        let before = {
            let mut unended = slf.state();
            let index = unended.sent.iter().position(|other| other.is(round));
            index.map(|index| unended.sent.remove(index))
        };
        drop(before);
    }

    /// Removes a round from those that were sent, because all its requests have finished.
    fn complete_flight(slf: &Bound<'_, Self>, round: &Bound<'_, RoundBase>) -> PyResult<()> {
        Self::complete(slf, round);
        flights::complete(round.as_super())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(unended) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        match &unended.open {
            Some(Open::Strong(round)) => visit.call(round)?,
            Some(Open::Weak(round)) => visit.call(round)?,
            None => {}
        }
        unended.sent.iter().try_for_each(|round| visit.call(round))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
