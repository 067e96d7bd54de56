//! `LoaderBase` as Python sees it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::asyncio_mode::is_entered;
use crate::event_loop::call::{AsyncioCall, Call};
use crate::event_loop::foreign::Foreign;
use crate::event_loop::start;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::compute;
use crate::imports;
use crate::loader::ask::load;
use crate::loader::base::LoaderBase;
use crate::loader::bindings::Binds;
use crate::loader::bound;
use crate::loader::cache_key::cache_key;
use crate::loader::cached_value::cached_value;
use crate::loader::host::seconds;
use crate::loader::load::Load;
use crate::loader::nodes::LoaderHost;
use crate::loader::variant::of_caller;
use crate::loader::varies::Varies;
use crate::scheduler::running::running_function;
use crate::scheduler::state::Scheduler;

#[pymethods]
impl LoaderBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self(GilCell::default())
    }

    /// Asks for one key: returns a future.
    fn asynq<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if Scheduler::current().is_in_task_of_loop() && running_function(slf.py())?.is_some() {
            // The batch function that waits for it has to lend its permits.
            return Foreign::start(Self::_asyncio(slf, key)?.as_any()).map(Bound::into_any);
        }
        let loader = of_caller(slf)?;
        load(&loader, &Self::host(&loader)?, key).map(Bound::into_any)
    }

    /// Asks for a key on an event loop, at once. Returns an awaitable.
    ///
    /// The loader collects the keys that are asked for on one event loop, and sends them when nothing else
    /// can run on that loop, or the first of them has waited for `max_delay`. The awaitable can be
    /// awaited any number of times.
    fn _asyncio<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, AsyncioCall>> {
        let py = slf.py();
        let loader = of_caller(slf)?;
        let mut state = Call::default();
        state.load = Some((loader.into_any().unbind(), key.clone().unbind()));
        state.function = running_function(py)?.map(Bound::unbind);
        let call = Bound::new(py, AsyncioCall(GilCell::new(state)))?;
        start::begin(&call)?;
        Ok(call)
    }

    /// The value of one key. A cached value is there at once.
    ///
    /// The interpreter passes an instance, too, if the loader is an attribute of its class; see
    /// [`method_descriptor`](crate::ffi::method_descriptor).
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if kwargs.is_none_or(PyDictMethods::is_empty) {
            match args.len() {
                1 => return call(slf, &args.get_item(0)?),
                2 => return bound::call_on(slf, &args.get_item(0)?, &args.get_item(1)?, call),
                _ => {}
            }
        } else if let Some(kwargs) = kwargs
            && kwargs.len() == 1
            && let Some(key) = kwargs.get_item(intern!(slf.py(), "key"))?
        {
            match args.len() {
                0 => return call(slf, &key),
                1 => return bound::call_on(slf, &args.get_item(0)?, &key, call),
                _ => {}
            }
        }
        Err(bound::takes_one_key(slf))
    }

    /// Asks for a key on a host.
    #[pyo3(name = "_load")]
    fn py_load<'py>(
        slf: &Bound<'py, Self>,
        host: &Bound<'py, LoaderHost>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Load>> {
        load(slf, host, key)
    }

    /// Returns the loader of an instance or class.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<Bound<'py, PyAny>>,
        class: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let binds = slf.state().binds;
        let owner = match (binds, instance) {
            (Binds::ToInstance, Some(instance)) => instance,
            (Binds::ToClass, instance) => match (class, instance) {
                (Some(class), _) => class,
                (None, Some(instance)) => instance.get_type().into_any(),
                (None, None) => return Ok(slf.clone()),
            },
            (Binds::ToInstance, None) | (Binds::Never, _) => return Ok(slf.clone()),
        };
        bound::loader_of(slf, &owner)
    }

    /// Makes the loader of a class one of a class method or static method.
    #[pyo3(signature = (*, to_class))]
    fn _bind_otherwise(slf: &Bound<'_, Self>, to_class: bool) {
        slf.state().binds = if to_class { Binds::ToClass } else { Binds::Never };
    }

    /// Object to which the loader is bound, if it is.
    #[getter(_owner)]
    fn owner(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().owner.as_ref().map(|owner| owner.clone_ref(slf.py()))
    }

    /// Loader in the class of the owner.
    #[getter(_template)]
    fn template(slf: &Bound<'_, Self>) -> Option<Py<Self>> {
        slf.state().template.as_ref().map(|template| template.clone_ref(slf.py()))
    }

    /// Loader that holds the state of this one.
    #[getter(_core)]
    fn py_core<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        Self::core(slf)
    }

    /// Returns the loader that the caller uses: a variant, or the loader itself.
    #[pyo3(name = "_of_caller")]
    fn py_of_caller<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        of_caller(slf)
    }

    /// Gives the loader a variant for the values of `sources` that its caller sees.
    fn _vary_by(slf: &Bound<'_, Self>, sources: Py<PyTuple>) {
        let mut state = slf.state();
        state.varies = Varies::ByValues;
        let before = state.sources.replace(sources);
        drop(state);
        drop(before);
    }

    /// Makes the loader the same in all requests.
    fn _vary_never(slf: &Bound<'_, Self>) {
        slf.state().varies = Varies::Never;
    }

    /// Sets the dict of the variants that were used last, by the values of `per`.
    fn _set_recent(slf: &Bound<'_, Self>, recent: Py<PyDict>) {
        let before = slf.state().recent.replace(recent);
        drop(before);
    }

    /// Makes the loader a variant of a core, whose statistics count its calls, too.
    fn _become_variant(slf: &Bound<'_, Self>, core: &Bound<'_, Self>) {
        let totals = Arc::clone(&core.state().totals);
        let mut state = slf.state();
        state.varies = Varies::Never;
        let before = std::mem::replace(&mut state.totals, totals);
        drop(state);
        drop(before);
    }

    /// The cache outside of all scopes: a mapping, or `None`.
    #[getter(_cache)]
    fn cache(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::core(slf).state().cache.as_ref().map(|cache| cache.clone_ref(slf.py()))
    }

    #[setter(_cache)]
    fn set_cache(slf: &Bound<'_, Self>, cache: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut Self::core(slf).state().cache, cache);
        defer_drop(before);
    }

    /// The context variable of its scopes.
    #[getter(_scope)]
    fn scope(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        Self::core(slf).state().scope.as_ref().map(|scope| scope.clone_ref(slf.py()))
    }

    #[setter(_scope)]
    fn set_scope(slf: &Bound<'_, Self>, scope: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut Self::core(slf).state().scope, scope);
        defer_drop(before);
    }

    /// Function that returns the cache key of a key.
    #[getter(_key_function)]
    fn key_function(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        let core = Self::core(slf);
        core.state().key_function.as_ref().map(|function| function.clone_ref(slf.py()))
    }

    #[setter(_key_function)]
    fn set_key_function(slf: &Bound<'_, Self>, function: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut Self::core(slf).state().key_function, function);
        defer_drop(before);
    }

    /// Returns the value that stands for a key in caches and answers.
    fn _cache_key<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cache_key(slf, key)
    }

    /// The cache of the current scope, or the one outside of all scopes: a mapping, or `None`.
    #[getter(_current_cache)]
    fn py_current_cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::current_cache(slf)
    }

    /// Returns the numbers of `Stats`. `hosts` are all hosts of the loader.
    fn _stats(
        slf: &Bound<'_, Self>,
        hosts: Vec<Bound<'_, LoaderHost>>,
    ) -> (usize, usize, usize, usize, f64) {
        let stats = Self::stats(slf, hosts);
        (stats.batches, stats.keys, stats.hits, stats.largest, seconds(stats.time))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.host)?;
        visit.call(&state.cache)?;
        visit.call(&state.scope)?;
        visit.call(&state.key_function)?;
        state.bindings.traverse(&visit)?;
        visit.call(&state.sources)?;
        visit.call(&state.recent)?;
        visit.call(&state.owner)?;
        visit.call(&state.core)?;
        visit.call(&state.template)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

/// Returns the value of one key.
fn call<'py>(
    loader: &Bound<'py, LoaderBase>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = loader.py();
    if is_entered(py)? {
        let args = PyTuple::new(py, [key])?;
        return imports::call_in_asyncio_mode(py)?.call1((loader, args, PyDict::new(py)));
    }
    let loader = of_caller(loader)?;
    if let Some(value) = cached_value(&loader, key)? {
        return Ok(value);
    }
    let load = load(&loader, &LoaderBase::thread_host(&loader)?, key)?;
    compute::value(load.as_super().as_super())
}
