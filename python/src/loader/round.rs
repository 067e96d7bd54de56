//! `RoundBase`: the batch of a loader.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};

use crate::batch::base::BatchBase;
use crate::batch::item::resume_tracking_of_items;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::loader::load::Load;
use crate::scheduler::inbox::{Flight, Inbox};

/// The batch of a loader: `asynq.loaders` says how it is flushed.
#[pyclass(frozen, extends = BatchBase, subclass, weakref, module = "asynq.loaders")]
pub(crate) struct RoundBase(pub(crate) GilCell<Round>);

has_state!(RoundBase: Round);

/// State of a [`RoundBase`].
pub(crate) struct Round {
    pub(crate) loads: Option<Py<PyDict>>,
    /// Number of the scheduler that holds the round, 0 for none.
    pub(crate) holder: u32,
    /// True once a load was made whose value is not cached.
    pub(crate) has_keys: bool,
    /// True once somebody waits for such a load.
    pub(crate) is_wanted: bool,
    /// Loads of cached keys that somebody waits for.
    pub(crate) cached: Vec<Py<Load>>,
    /// Flights of its requests.
    pub(crate) flights: Vec<Py<Flight>>,
}

impl RoundBase {
    /// The loads by their keys, see [`spread`].
    pub(crate) fn loads<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        let py = slf.py();
        let loads = slf.state().loads.as_ref().map(|loads| loads.bind(py).clone());
        loads.unwrap_or_else(|| PyDict::new(py))
    }

    /// Makes the scheduler with this inbox wait for all flights of the round.
    pub(crate) fn await_flights(slf: &Bound<'_, Self>, inbox: &Arc<Inbox>) {
        for flight in Self::flights(slf) {
            Flight::wait_at(flight.bind(slf.py()), inbox);
        }
    }

    pub(crate) fn flights(slf: &Bound<'_, Self>) -> Vec<Py<Flight>> {
        slf.state().flights.iter().map(|flight| flight.clone_ref(slf.py())).collect()
    }

    /// Notes that somebody waits for a load of the round.
    pub(crate) fn want(slf: &Bound<'_, Self>, load: &Bound<'_, Load>) {
        let is_cached = Load::is_cached(load);
        let mut round = slf.state();
        if is_cached {
            round.cached.push(load.clone().unbind());
        } else {
            round.is_wanted = true;
        }
    }

    pub(crate) fn is_held(slf: &Bound<'_, Self>) -> bool {
        slf.state().holder != 0
    }

    pub(crate) fn set_holder(slf: &Bound<'_, Self>, scheduler_id: u32) {
        slf.state().holder = scheduler_id;
    }

    /// Returns the number of the scheduler that holds it, and forgets that one.
    pub(crate) fn take_holder(slf: &Bound<'_, Self>) -> u32 {
        std::mem::take(&mut slf.state().holder)
    }

    /// The scheduler does not hold it any more.
    pub(crate) fn released(slf: &Bound<'_, Self>) {
        Self::set_holder(slf, 0);
        resume_tracking_of_items(slf.as_super());
    }

    /// Notes that the round has a load whose value is not cached.
    pub(crate) fn add_load(
        slf: &Bound<'_, Self>,
        cache_key: &Bound<'_, PyAny>,
        load: &Bound<'_, Load>,
    ) -> PyResult<()> {
        slf.state().has_keys = true;
        Self::loads(slf).set_item(spread(cache_key)?, load)
    }

    /// The load of an equal key that has no value yet.
    pub(crate) fn find<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Load>>> {
        let Some(load) = Self::loads(slf).get_item(spread(key)?)? else { return Ok(None) };
        let load = load.cast_into::<Load>()?;
        Ok(Load::is_pending(&load).then_some(load))
    }
}

/// Returns an object that stands for a key in a dict of ours.
///
/// Python hashes an int by its remainder modulo 2⁶¹ - 1, so that a client could send keys with one hash,
/// and make each look-up compare all of them. Text has a secret hash.
pub(crate) fn spread<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    const MODULUS: i64 = (1 << 61) - 1;
    let Ok(int) = key.cast_exact::<PyInt>() else { return Ok(key.clone()) };
    if int.extract::<i64>().is_ok_and(|int| -MODULUS < int && int < MODULUS) {
        return Ok(key.clone());
    }
    let class = key.get_type();
    // A float of the same value is another key then.
    (class, int.call_method1(intern!(key.py(), "__format__"), ("x",))?).into_bound_py_any(key.py())
}
