//! `LoaderBase`: the path of every load of a loader.

use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::loader::bindings::{Bindings, Binds};
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
    /// Function that returns the cache key of a key.
    pub(crate) key_function: Option<Py<PyAny>>,
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
        defer_drop(self.key_function.take());
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
