//! `LoaderBase`: what every load of a loader passes through.

use pyo3::exceptions::{PyBaseException, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::asyncio_mode::is_asyncio_mode;
use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::base::FutureBase;
use crate::imports;
use crate::loader::load::Load;
use crate::loader::round::RoundBase;
use crate::scheduler::state::Scheduler;

/// Base of `asynq.loaders.Loader`, which says what a round is and how it is flushed.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderBase(GilCell<State>);

/// What a load asks of its loader.
#[derive(Default)]
struct State {
    /// Of which scheduler the `rounds` are, 0 for none.
    home: u32,
    rounds: Option<Py<Rounds>>,
    cache: Option<Py<PyAny>>,
    /// A context variable with the mapping of the innermost scope.
    scope: Option<Py<PyAny>>,
    hits: u64,
}

impl LoaderBase {
    fn state(&self) -> CellGuard<'_, State> {
        self.0.take()
    }

    /// The rounds of this thread.
    fn rounds<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Rounds>> {
        let py = slf.py();
        let here = Scheduler::current().home();
        {
            let state = slf.get().state();
            if let Some(rounds) = &state.rounds
                && state.home == here
            {
                return Ok(rounds.bind(py).clone());
            }
        }
        let rounds = slf.call_method0(intern!(py, "_rounds"))?.cast_into::<Rounds>()?;
        let before = {
            let mut state = slf.get().state();
            state.home = here;
            state.rounds.replace(rounds.clone().unbind())
        };
        drop(before);
        Ok(rounds)
    }

    /// The mapping in which it keeps what it loads here.
    fn current_cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (cache, scope) = {
            let state = slf.get().state();
            (
                state.cache.as_ref().map(|cache| cache.bind(py).clone()),
                state.scope.as_ref().map(|scope| scope.bind(py).clone()),
            )
        };
        let Some(scope) = scope else { return Ok(cache) };
        let cache = scope.call_method1(intern!(py, "get"), (cache,))?;
        Ok((!cache.is_none()).then_some(cache))
    }

    /// Asks for a key, in one of these rounds.
    fn load<'py>(
        slf: &Bound<'py, Self>,
        rounds: &Bound<'py, Rounds>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Load>> {
        let cache = Self::current_cache(slf)?;
        if let Some(load) = Rounds::find(rounds, key)? {
            if let Some(cache) = &cache {
                Load::keep_in(&load, cache);
            }
            slf.get().state().hits += 1;
            return Ok(load);
        }
        let cached_value = match &cache {
            Some(cache) => look_up(cache, key)?,
            None => None,
        };
        if cached_value.is_some() {
            slf.get().state().hits += 1;
        }
        // Before anything is changed: it may not be possible.
        key.hash()?;
        let open = rounds.get().0.take().open.as_ref().map(|open| open.bind(slf.py()).clone());
        let open = if let Some(open) = open {
            open
        } else {
            let open = slf.call_method1(intern!(slf.py(), "_open_round"), (rounds,))?;
            let open = open.cast_into::<RoundBase>()?;
            rounds.get().0.take().open = Some(open.clone().unbind());
            let is_held = Scheduler::current().hold_round(&open);
            RoundBase::set_held(&open, is_held);
            open
        };
        // What is kept here is not for those who ask elsewhere.
        let is_shared = cached_value.is_none();
        let load = Load::create(key, cached_value, cache, open.as_super())?;
        if is_shared {
            RoundBase::loads(&open).set_item(key, &load)?;
        }
        if RoundBase::is_held(&open) {
            BatchItemBase::pause_tracking(load.as_super());
        }
        Ok(load)
    }
}

#[pymethods]
impl LoaderBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self(GilCell::default())
    }

    /// Asks for one key: returns a future, in asyncio mode a coroutine.
    fn asynq<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if is_asyncio_mode(py)? {
            return slf.call_method1(intern!(py, "asyncio"), (key,));
        }
        Self::load(slf, &Self::rounds(slf)?, key).map(Bound::into_any)
    }

    /// The value of one key. What is kept is there at once.
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if is_asyncio_mode(py)? {
            let args = PyTuple::new(py, [key])?;
            return imports::call_in_asyncio_mode(py)?.call1((slf, args, PyDict::new(py)));
        }
        if let Some(cache) = Self::current_cache(slf)?
            && let Some(cached_value) = look_up(&cache, key)?
        {
            slf.get().state().hits += 1;
            return if cached_value.is_instance_of::<PyBaseException>() {
                Err(PyErr::from_value(cached_value))
            } else {
                Ok(cached_value)
            };
        }
        let load = Self::load(slf, &Self::rounds(slf)?, key)?;
        FutureBase::value(load.as_super().as_super())
    }

    /// Asks for a key in one of these rounds.
    #[pyo3(name = "_load")]
    fn py_load<'py>(
        slf: &Bound<'py, Self>,
        rounds: &Bound<'py, Rounds>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Load>> {
        Self::load(slf, rounds, key)
    }

    /// Where it keeps what it loads outside of any scope.
    #[getter(_cache)]
    fn cache(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().state().cache.as_ref().map(|cache| cache.clone_ref(slf.py()))
    }

    #[setter(_cache)]
    fn set_cache(slf: &Bound<'_, Self>, cache: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.get().state().cache, cache);
        drop(before);
    }

    /// The context variable of its scopes.
    #[getter(_scope)]
    fn scope(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().state().scope.as_ref().map(|scope| scope.clone_ref(slf.py()))
    }

    #[setter(_scope)]
    fn set_scope(slf: &Bound<'_, Self>, scope: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.get().state().scope, scope);
        drop(before);
    }

    /// The mapping in which it keeps what it loads here, if it does.
    #[getter(_current_cache)]
    fn py_current_cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::current_cache(slf)
    }

    /// How often a key was asked for that was kept, or on its way.
    #[getter(_hits)]
    fn hits(slf: &Bound<'_, Self>) -> u64 {
        slf.get().state().hits
    }

    #[setter(_hits)]
    fn set_hits(slf: &Bound<'_, Self>, hits: u64) {
        slf.get().state().hits = hits;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.try_take() else { return Ok(()) };
        visit.call(&state.rounds)?;
        visit.call(&state.cache)?;
        visit.call(&state.scope)
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *self.state());
        drop(before);
    }
}

fn look_up<'py>(
    cache: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(dict) = cache.cast_exact::<PyDict>() {
        return dict.get_item(key);
    }
    match cache.get_item(key) {
        Err(error) if error.is_instance_of::<PyKeyError>(cache.py()) => Ok(None),
        value => value.map(Some),
    }
}

/// The rounds of a loader in one thread that have not ended.
#[pyclass(frozen, weakref, module = "asynq.loaders")]
#[derive(Default)]
pub(crate) struct Rounds(GilCell<Unended>);

#[derive(Default)]
struct Unended {
    open: Option<Py<RoundBase>>,
    in_flight: Vec<Py<RoundBase>>,
}

impl Rounds {
    /// The load of an equal key that is on its way.
    fn find<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Load>>> {
        let py = slf.py();
        let (open, others) = {
            let unended = slf.get().0.take();
            let open = unended.open.as_ref().map(|open| open.bind(py).clone());
            (open, !unended.in_flight.is_empty())
        };
        if let Some(open) = open
            && let Some(load) = RoundBase::find(&open, key)?
        {
            return Ok(Some(load));
        }
        if others {
            for round in Self::in_flight(slf) {
                if let Some(load) = RoundBase::find(&round, key)? {
                    return Ok(Some(load));
                }
            }
        }
        Ok(None)
    }
}

#[pymethods]
impl Rounds {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// The one that takes keys, if any.
    #[getter]
    fn open<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, RoundBase>> {
        slf.get().0.take().open.as_ref().map(|open| open.bind(slf.py()).clone())
    }

    /// Those whose values are on their way.
    #[getter]
    fn in_flight<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, RoundBase>> {
        let unended = slf.get().0.take();
        unended.in_flight.iter().map(|round| round.bind(slf.py()).clone()).collect()
    }

    /// The round takes no more keys.
    fn close(slf: &Bound<'_, Self>, round: &Bound<'_, BatchBase>) {
        let before = {
            let mut unended = slf.get().0.take();
            let is_open = unended.open.as_ref().is_some_and(|open| open.is(round));
            is_open.then(|| unended.open.take())
        };
        drop(before);
    }

    /// The round is on its way.
    fn start(slf: &Bound<'_, Self>, round: Py<RoundBase>) {
        slf.get().0.take().in_flight.push(round);
    }

    /// The round is there.
    fn complete(slf: &Bound<'_, Self>, round: &Bound<'_, RoundBase>) {
        let before = {
            let mut unended = slf.get().0.take();
            let index = unended.in_flight.iter().position(|other| other.is(round));
            index.map(|index| unended.in_flight.remove(index))
        };
        drop(before);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(unended) = self.0.try_take() else { return Ok(()) };
        visit.call(&unended.open)?;
        unended.in_flight.iter().try_for_each(|round| visit.call(round))
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *self.0.take());
        drop(before);
    }
}
