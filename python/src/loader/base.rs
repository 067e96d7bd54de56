//! `LoaderBase`: the path of every load of a loader.

use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::asyncio_mode::is_asyncio_mode;
use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::join::join;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::future::base::{FutureBase, Kind};
use crate::future::compute;
use crate::imports;
use crate::loader::delivery::outcome_of_cached;
use crate::loader::load::{Load, LoadState};
use crate::loader::round::RoundBase;
use crate::loader::rounds::Rounds;
use crate::scheduler::state::Scheduler;

/// Base of `asynq.loaders.Loader`, which says what a round is and how it is flushed.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderBase(GilCell<Loader>);

has_state!(LoaderBase: Loader);

/// State of a [`LoaderBase`].
#[derive(Default)]
pub(crate) struct Loader {
    /// Id of the scheduler of the `rounds`, 0 for none.
    scheduler_id: u32,
    rounds: Option<Py<Rounds>>,
    cache: Option<Py<PyAny>>,
    /// A context variable with the mapping of the innermost scope.
    scope: Option<Py<PyAny>>,
    hits: u64,
    /// Object whose loader this is, and the loader in its class, if it is a method.
    owner: Option<Py<PyAny>>,
    template: Option<Py<PyAny>>,
}

impl Drop for Loader {
    fn drop(&mut self) {
        defer_drop(self.rounds.take());
        defer_drop(self.cache.take());
        defer_drop(self.scope.take());
        defer_drop(self.owner.take());
        defer_drop(self.template.take());
    }
}

impl LoaderBase {
    fn count_hit(slf: &Bound<'_, Self>) {
        let mut state = slf.state();
        state.hits = state.hits.saturating_add(1);
    }

    /// Returns the rounds of this thread.
    fn rounds<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Rounds>> {
        let py = slf.py();
        let here = Scheduler::current().id();
        {
            let state = slf.state();
            if let Some(rounds) = &state.rounds
                && state.scheduler_id == here
            {
                return Ok(rounds.bind(py).clone());
            }
        }
        let rounds = slf.call_method0(intern!(py, "_rounds"))?.cast_into::<Rounds>()?;
        let before = {
            let mut state = slf.state();
            state.scheduler_id = here;
            state.rounds.replace(rounds.clone().unbind())
        };
        drop(before);
        Ok(rounds)
    }

    /// The mapping in which it keeps what it loads here.
    fn current_cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (cache, scope) = {
            let state = slf.state();
            (
                state.cache.as_ref().map(|cache| cache.bind(py).clone()),
                state.scope.as_ref().map(|scope| scope.bind(py).clone()),
            )
        };
        thread_exit::protect();
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
            Self::count_hit(slf);
            return Ok(load);
        }
        let cached_value = match &cache {
            Some(cache) => look_up(cache, key)?,
            None => None,
        };
        if cached_value.is_some() {
            Self::count_hit(slf);
        }
        // Before anything is changed: it may not be possible.
        key.hash()?;
        let open = Rounds::open(rounds);
        let open = if let Some(open) = open {
            open
        } else {
            let open = slf.call_method1(intern!(slf.py(), "_open_round"), (rounds,))?;
            let open = open.cast_into::<RoundBase>()?;
            Rounds::set_open(rounds, &open);
            let holder = Scheduler::current().hold_round(&open);
            RoundBase::set_holder(&open, holder);
            open
        };
        // A value from the cache of this scope must not be shared with other scopes.
        let is_shared = cached_value.is_none();
        let load = make_load(key, cached_value, cache, open.as_super())?;
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
            Self::count_hit(slf);
            return outcome_of_cached(&cached_value)?.get(py).unwrap_or(Ok(cached_value));
        }
        let load = Self::load(slf, &Self::rounds(slf)?, key)?;
        compute::value(load.as_super().as_super())
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

    /// Returns the loader of an object, or what was set in its place.
    ///
    /// It is looked up in the dictionary of the object. There may be that of another object, of which
    /// this one is a copy.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<Bound<'py, PyAny>>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        thread_exit::protect();
        let Some(instance) = instance else { return Ok(slf.clone().into_any()) };
        if let Some(found) = attribute(slf, &instance)? {
            let Ok(loader) = found.cast::<Self>() else { return Ok(found) };
            let is_bound = {
                let state = loader.state();
                let is_ours = state.template.as_ref().is_none_or(|template| template.is(slf));
                is_ours && state.owner.as_ref().is_none_or(|owner| owner.is(&instance))
            };
            if is_bound {
                return Ok(found);
            }
        }
        slf.call_method1(intern!(py, "_bind"), (instance,))
    }

    fn __set__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let name = slf.getattr(intern!(py, "__name__"))?;
        instance.getattr(intern!(py, "__dict__"))?.set_item(name, value)
    }

    fn __delete__<'py>(slf: &Bound<'py, Self>, instance: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let name = slf.getattr(intern!(py, "__name__"))?;
        if attribute(slf, instance)?.is_none() {
            return Err(PyAttributeError::new_err(name.unbind()));
        }
        instance.getattr(intern!(py, "__dict__"))?.del_item(name)
    }

    /// Object whose loader this is, if it is a method.
    #[getter(_owner)]
    fn owner(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().owner.as_ref().map(|owner| owner.clone_ref(slf.py()))
    }

    /// Loader in the class of the owner.
    #[getter(_template)]
    fn template(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().template.as_ref().map(|template| template.clone_ref(slf.py()))
    }

    /// Makes this the loader of an object.
    fn _belong_to(slf: &Bound<'_, Self>, owner: Py<PyAny>, template: Py<PyAny>) {
        let before = {
            let mut state = slf.state();
            (state.owner.replace(owner), state.template.replace(template))
        };
        drop(before);
    }

    /// The cache outside of all scopes: a mapping, or `None`.
    #[getter(_cache)]
    fn cache(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().cache.as_ref().map(|cache| cache.clone_ref(slf.py()))
    }

    #[setter(_cache)]
    fn set_cache(slf: &Bound<'_, Self>, cache: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.state().cache, cache);
        defer_drop(before);
    }

    /// The context variable of its scopes.
    #[getter(_scope)]
    fn scope(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().scope.as_ref().map(|scope| scope.clone_ref(slf.py()))
    }

    #[setter(_scope)]
    fn set_scope(slf: &Bound<'_, Self>, scope: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.state().scope, scope);
        defer_drop(before);
    }

    /// The cache of the current scope, or the one outside of all scopes: a mapping, or `None`.
    #[getter(_current_cache)]
    fn py_current_cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::current_cache(slf)
    }

    /// Number of loads whose key was cached or pending.
    #[getter(_hits)]
    fn hits(slf: &Bound<'_, Self>) -> u64 {
        slf.state().hits
    }

    #[setter(_hits)]
    fn set_hits(slf: &Bound<'_, Self>, hits: u64) {
        slf.state().hits = hits;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.rounds)?;
        visit.call(&state.cache)?;
        visit.call(&state.scope)?;
        visit.call(&state.owner)?;
        visit.call(&state.template)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

/// Looks up the name of a loader in the dictionary of an object.
fn attribute<'py>(
    loader: &Bound<'py, LoaderBase>,
    instance: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = loader.py();
    let Some(attributes) = instance.getattr_opt(intern!(py, "__dict__"))? else { return Ok(None) };
    let name = loader.getattr(intern!(py, "__name__"))?;
    match attributes.cast::<PyDict>() {
        Ok(attributes) => attributes.get_item(name),
        Err(_) => Ok(None),
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

/// Makes a load that joins an open round. `cached_value` is the value that a cache has for the key.
fn make_load<'py>(
    key: &Bound<'py, PyAny>,
    cached_value: Option<Bound<'py, PyAny>>,
    cache: Option<Bound<'py, PyAny>>,
    round: &Bound<'py, BatchBase>,
) -> PyResult<Bound<'py, Load>> {
    // A cached_value value is in its cache already.
    let caches = if cached_value.is_some() { None } else { cache.map(Bound::unbind) };
    let state = LoadState {
        key: key.clone().unbind(),
        cached_value: cached_value.map(Bound::unbind),
        caches: caches.into_iter().collect(),
    };
    let base =
        PyClassInitializer::from(FutureBase::new(Kind::Item)).add_subclass(BatchItemBase::blank());
    let load = Bound::new(key.py(), base.add_subclass(Load(GilCell::new(state))))?;
    join(load.as_super(), round)?;
    Ok(load)
}
