//! `RoundBase` as Python sees it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::{FutureBase, Kind};
use crate::loader::load::Load;
use crate::loader::permits::Permits;
use crate::loader::round::{Round, RoundBase, spread};
use crate::scheduler::inbox::Flight;
use crate::scheduler::state::Scheduler;

#[pymethods]
impl RoundBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Batch))
            .add_subclass(BatchBase::blank(py))
            .add_subclass(Self(GilCell::new(Round {
                loads: Some(PyDict::new(py).unbind()),
                holder: 0,
                has_keys: false,
                is_wanted: false,
                cached: Vec::new(),
                flights: Vec::new(),
            })))
    }

    /// Returns the loads whose values are not cached, and their keys. The others are resolved with the
    /// round, so that no task runs ahead.
    fn begin<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        let py = slf.py();
        let (loads, keys) = (PyList::empty(py), PyList::empty(py));
        for item in BatchBase::items(slf.as_super()).iter() {
            let load = item.cast_into::<Load>()?;
            if !Load::is_pending(&load) {
                continue;
            }
            if !Load::is_cached(&load) {
                keys.append(Load::key(&load))?;
                loads.append(load)?;
            }
        }
        Ok((loads, keys))
    }

    /// Returns whether its flush has ended, and its values come later.
    #[getter]
    fn is_in_flight(slf: &Bound<'_, Self>) -> bool {
        BatchBase::is_in_flight(slf.as_super())
    }

    /// Flights of its requests.
    #[getter(flights)]
    fn py_flights(slf: &Bound<'_, Self>) -> Vec<Py<Flight>> {
        Self::flights(slf)
    }

    /// Adds a flight of one of its requests, for which the scheduler of this thread waits.
    fn watch(slf: &Bound<'_, Self>, flight: &Bound<'_, Flight>) {
        slf.state().flights.push(flight.clone().unbind());
        Flight::wait_at(flight, &Scheduler::current().inbox);
    }

    /// Adds a flight of one of its requests, whose timeout starts, and calls `begin()` when it has its
    /// permits.
    fn launch(
        slf: &Bound<'_, Self>,
        flight: &Bound<'_, Flight>,
        permits: &Bound<'_, Permits>,
        begin: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        flight.state().permits = Some(permits.clone().unbind());
        Self::watch(slf, flight);
        Flight::start_timeout(flight)?;
        Permits::acquire_for(permits, flight.as_any(), begin)
    }

    /// Removes the loads for which no coroutine waits. Their keys are not sent.
    fn prune(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (items, loads) = (BatchBase::items(slf.as_super()), Self::loads(slf));
        let kept = PyList::empty(py);
        for item in items.iter() {
            let load = item.cast::<Load>()?;
            if Load::is_awaited(load) {
                kept.append(load)?;
                continue;
            }
            let key = spread(&Load::cache_key(load))?;
            if loads.get_item(&key)?.is_some_and(|other| other.is(load)) {
                loads.del_item(&key)?;
            }
        }
        if kept.len() < items.len() {
            items.set_slice(0, items.len(), kept.as_any())?;
        }
        Ok(())
    }

    /// The next one who asks for the key gets another load; this one is not kept in `cache`.
    fn forget(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        cache: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (loads, key) = (Self::loads(slf), spread(key)?);
        let Some(load) = loads.get_item(&key)? else { return Ok(()) };
        Load::forget(load.cast()?, cache);
        loads.del_item(key)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.take_in_traverse(&visit) {
            Some(round) => {
                visit.call(&round.loads)?;
                round.cached.iter().try_for_each(|load| visit.call(load))?;
                round.flights.iter().try_for_each(|flight| visit.call(flight))
            }
            None => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut round = slf.state();
            let cached = std::mem::take(&mut round.cached);
            (round.loads.take(), cached, std::mem::take(&mut round.flights))
        };
        drop(before);
    }
}
