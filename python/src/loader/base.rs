//! `LoaderBase`: the path of every load of a loader.

use std::sync::Arc;

use asynq_loader::Stats;
use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyWeakrefReference};

use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::loader::bindings::{Bindings, Binds};
use crate::loader::nodes::{LoaderHost, add_stats};
use crate::loader::varies::Varies;
use crate::scheduler::state::Scheduler;

/// Base of `asynq.loaders.Loader`, which says how rounds are sent.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.loaders")]
pub(crate) struct LoaderBase(pub(crate) GilCell<Loader>);

has_state!(LoaderBase: Loader);

/// State of a [`LoaderBase`].
///
/// # Note: loaders on classes
///
/// The loader of a class, the *template*, has a loader without an instance for each instance, the
/// *core*, with the cache, hosts and statistics. What `instance.loader` returns is bound to the
/// instance and uses the state of the core, which must not refer to the instance: it would keep the
/// instance alive.
#[derive(Default)]
pub(crate) struct Loader {
    /// Id of the scheduler of the `host`, 0 for none.
    pub(crate) scheduler_id: u32,
    pub(crate) host: Option<Py<LoaderHost>>,
    /// Id of the scheduler of an event loop, and a weak reference to the host there.
    pub(crate) loop_host: Option<(u32, Py<PyWeakrefReference>)>,
    pub(crate) cache: Option<Py<PyAny>>,
    /// A context variable with the mapping of the innermost scope.
    pub(crate) scope: Option<Py<PyAny>>,
    /// Function that returns the cache key of a key.
    pub(crate) key_function: Option<Py<PyAny>>,
    /// Counts of its hosts that have gone, and of calls that have found a cached value.
    pub(crate) totals: Arc<GilCell<Stats>>,
    /// Object to which the loader binds when it is an attribute of a class.
    pub(crate) binds: Binds,
    /// Loaders of the instances, if it is a template.
    pub(crate) bindings: Bindings,
    pub(crate) varies: Varies,
    /// Context variables, scoped values and functions of `per`.
    pub(crate) sources: Option<Py<PyTuple>>,
    /// Variants by values of `sources`: those that were used last.
    pub(crate) recent: Option<Py<PyDict>>,
    /// Weak reference to the variant that a bound loader has used last.
    pub(crate) last_variant: Option<Py<PyWeakrefReference>>,
    /// Instance, core and template of a bound loader.
    pub(crate) owner: Option<Py<PyAny>>,
    pub(crate) core: Option<Py<LoaderBase>>,
    pub(crate) template: Option<Py<LoaderBase>>,
}

impl Drop for Loader {
    fn drop(&mut self) {
        defer_drop(self.host.take());
        defer_drop(self.cache.take());
        defer_drop(self.scope.take());
        defer_drop(self.key_function.take());
        defer_drop(self.sources.take());
        defer_drop(self.recent.take());
        defer_drop(self.last_variant.take());
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

    /// Counts a call that has found a cached value.
    pub(crate) fn count_hit(slf: &Bound<'_, Self>) {
        let totals = Arc::clone(&Self::core(slf).state().totals);
        totals.take(slf.py()).hits += 1;
    }

    /// Returns the counts of all hosts. `hosts` are those that are left.
    pub(crate) fn stats(slf: &Bound<'_, Self>, hosts: Vec<Bound<'_, LoaderHost>>) -> Stats {
        let totals = Arc::clone(&Self::core(slf).state().totals);
        let mut stats = *totals.take(slf.py());
        for host in hosts {
            add_stats(&mut stats, LoaderHost::stats(&host));
        }
        stats
    }

    /// Returns the host of the code that runs: an event loop for its tasks, or else this thread or
    /// greenlet.
    pub(crate) fn host<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, LoaderHost>> {
        let scheduler = Scheduler::current();
        if scheduler.is_in_task_of_loop() {
            Self::loop_host(slf, &scheduler)
        } else {
            Self::thread_host(slf)
        }
    }

    /// Returns the host of the event loop that runs in this thread, whose scheduler is given.
    pub(crate) fn loop_host<'py>(
        slf: &Bound<'py, Self>,
        scheduler: &Scheduler,
    ) -> PyResult<Bound<'py, LoaderHost>> {
        let py = slf.py();
        let here = scheduler.id();
        let core = Self::core(slf);
        let known = match &core.state().loop_host {
            Some((scheduler_id, host)) if *scheduler_id == here => Some(host.bind(py).clone()),
            _ => None,
        };
        if let Some(host) = known.and_then(|host| host.upgrade()) {
            return Ok(host.cast_into::<LoaderHost>()?);
        }
        let host = slf.call_method0(intern!(py, "_loop_host"))?.cast_into::<LoaderHost>()?;
        let reference = PyWeakrefReference::new(&host)?.unbind();
        let before = core.state().loop_host.replace((here, reference));
        drop(before);
        Ok(host)
    }

    /// Returns the host of this thread or greenlet.
    pub(crate) fn thread_host<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, LoaderHost>> {
        let py = slf.py();
        let here = Scheduler::of_thread().id();
        let core = Self::core(slf);
        {
            let state = core.state();
            if let Some(host) = &state.host
                && state.scheduler_id == here
            {
                return Ok(host.bind(py).clone());
            }
        }
        let host = slf.call_method0(intern!(py, "_host"))?.cast_into::<LoaderHost>()?;
        let before = {
            let mut state = core.state();
            state.scheduler_id = here;
            state.host.replace(host.clone().unbind())
        };
        drop(before);
        Ok(host)
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
