//! `LoaderBase`: the path of every load of a loader.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyClassInitializer, intern};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::join::join;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::future::base::{FutureBase, Kind};
use crate::loader::bindings::{Bindings, Binds};
use crate::loader::load::{Load, LoadState};
use crate::loader::round::RoundBase;
use crate::loader::rounds::Rounds;
use crate::scheduler::state::Scheduler;

/// Base of `asynq.loaders.Loader`, which says what a round is and how it is flushed.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderBase(pub(crate) GilCell<Loader>);

has_state!(LoaderBase: Loader);

/// State of a [`LoaderBase`].
///
/// # Note: loaders on classes
///
/// The loader of a class, the *template*, has a loader without an instance for each instance, the
/// *core*, with the cache, rounds and statistics. What `instance.loader` returns is bound to the
/// instance and uses the state of the core, which must not refer to the instance: it would keep the
/// instance alive.
#[derive(Default)]
pub(crate) struct Loader {
    /// Id of the scheduler of the `rounds`, 0 for none.
    pub(crate) scheduler_id: u32,
    pub(crate) rounds: Option<Py<Rounds>>,
    pub(crate) cache: Option<Py<PyAny>>,
    /// A context variable with the mapping of the innermost scope.
    pub(crate) scope: Option<Py<PyAny>>,
    pub(crate) hits: u64,
    /// Object to which the loader binds when it is an attribute of a class.
    pub(crate) binds: Binds,
    /// Loaders of the instances, if it is a template.
    pub(crate) bindings: Bindings,
    /// Instance, core and template of a bound loader.
    pub(crate) owner: Option<Py<PyAny>>,
    pub(crate) core: Option<Py<LoaderBase>>,
    pub(crate) template: Option<Py<LoaderBase>>,
}

impl Drop for Loader {
    fn drop(&mut self) {
        defer_drop(self.rounds.take());
        defer_drop(self.cache.take());
        defer_drop(self.scope.take());
        defer_drop(self.owner.take());
        defer_drop(self.core.take());
        defer_drop(self.template.take());
    }
}

impl LoaderBase {
    /// Returns the core of a bound loader, or else the loader itself.
    pub(crate) fn core<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.state().core.as_ref().map_or_else(|| slf.clone(), |core| core.bind(slf.py()).clone())
    }

    pub(crate) fn count_hit(slf: &Bound<'_, Self>) {
        let core = Self::core(slf);
        let mut state = core.state();
        state.hits = state.hits.saturating_add(1);
    }

    /// Returns the rounds of this thread.
    pub(crate) fn rounds<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Rounds>> {
        let py = slf.py();
        let here = Scheduler::current().id();
        let core = Self::core(slf);
        {
            let state = core.state();
            if let Some(rounds) = &state.rounds
                && state.scheduler_id == here
            {
                return Ok(rounds.bind(py).clone());
            }
        }
        let rounds = slf.call_method0(intern!(py, "_rounds"))?.cast_into::<Rounds>()?;
        let before = {
            let mut state = core.state();
            state.scheduler_id = here;
            state.rounds.replace(rounds.clone().unbind())
        };
        drop(before);
        Ok(rounds)
    }

    /// The mapping in which it keeps what it loads here.
    pub(crate) fn current_cache<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let core = Self::core(slf);
        let (cache, scope) = {
            let state = core.state();
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
    pub(crate) fn load<'py>(
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
            let is_bound = slf.state().owner.is_some();
            Rounds::set_open(rounds, &open, is_bound)?;
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

/// Returns what a cache has for a key.
pub(crate) fn look_up<'py>(
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
