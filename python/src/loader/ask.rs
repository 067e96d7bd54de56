//! The path of every load.

use asynq_explain::Reason;
use asynq_loader::{Join, SlotId};
use pyo3::prelude::*;
use pyo3::{PyClassInitializer, intern};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::join::join;
use crate::explain::{hooks, log};
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::loader::base::{LoaderBase, look_up};
use crate::loader::cache_key::cache_key;
use crate::loader::key_table::spread;
use crate::loader::load::{Load, LoadState};
use crate::loader::nodes::{LoaderBatch, LoaderHost};
use crate::loader::recorded;
use crate::loader::send;
use crate::scheduler::state::Scheduler;

/// Asks for a key, on a host.
pub(crate) fn load<'py>(
    loader: &Bound<'py, LoaderBase>,
    host: &Bound<'py, LoaderHost>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, Load>> {
    // Before anything is changed: it may not be possible.
    let cache_key = cache_key(loader, key)?;
    let cache = LoaderBase::current_cache(loader)?;
    let spread_key = spread(&cache_key)?;
    if let Some(slot) = LoaderHost::slot_of(host, &spread_key)?
        && let Some(load) = share(loader, host, slot, key)?
    {
        if let Some(cache) = &cache {
            Load::keep_in(&load, cache);
        }
        if log::is_on() {
            recorded::loads(loader, host, &load, true);
        }
        return Ok(load);
    }
    let cached_value = match &cache {
        Some(cache) => look_up(cache, &cache_key)?,
        None => None,
    };
    // A value from the cache of this scope must not be shared with other scopes.
    let is_shared = cached_value.is_none();
    let is_timed = host.state().is_timed();
    let now = if is_timed { LoaderHost::time_of_load(host)? } else { 0 };
    let open = open(loader, host)?;
    let load = make_load(key, &cache_key, cached_value, cache, open.as_super())?;
    let slot = LoaderBatch::add(&open, host, &load, now);
    if is_shared && let Err(error) = LoaderHost::set_slot(host, &spread_key, slot) {
        let outcome = Outcome::from_err(loader.py(), &error);
        resolve(load.as_super().as_super(), outcome)?;
        return Err(error);
    }
    LoaderBatch::pause_tracking(&open, &load);
    if log::is_on() {
        recorded::loads(loader, host, &load, false);
    }
    if is_timed {
        send_full(loader, host, &open)?;
    }
    Ok(load)
}

/// Returns the batch that takes keys.
fn open<'py>(
    loader: &Bound<'py, LoaderBase>,
    host: &Bound<'py, LoaderHost>,
) -> PyResult<Bound<'py, LoaderBatch>> {
    if let Some(open) = LoaderHost::open(host) {
        return Ok(open);
    }
    let open = loader.call_method1(intern!(loader.py(), "_open_batch"), (host,))?;
    let open = open.cast_into::<LoaderBatch>()?;
    let is_bound = loader.state().owner.is_some();
    let number = LoaderHost::set_open(host, &open, is_bound)?;
    let holder = Scheduler::current().hold_batch(&open);
    let mut keys = open.state();
    keys.number = number;
    keys.holder = holder;
    drop(keys);
    Ok(open)
}

/// Sends the parts that the last load has filled.
fn send_full(
    loader: &Bound<'_, LoaderBase>,
    host: &Bound<'_, LoaderHost>,
    open: &Bound<'_, LoaderBatch>,
) -> PyResult<()> {
    let performed = send::perform(host, loader);
    if host.state().claims.is_empty() {
        return performed;
    }
    LoaderHost::close(host, open);
    host.state().machine.cached_ready(true);
    let because = hooks::Because::of(host.py(), || Reason::Full);
    let sent = send::start_claims(host, loader);
    drop(because);
    performed.and(sent).and(send::start_flight(host, open))
}

/// Shares the pending load of an equal key, if there is one. The load that a batch function makes of
/// a key it was called for fails.
fn share<'py>(
    loader: &Bound<'py, LoaderBase>,
    host: &Bound<'py, LoaderHost>,
    slot: SlotId,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, Load>>> {
    let Some(load) = LoaderHost::load_of(host, slot).filter(|load| Load::is_pending(load)) else {
        return Ok(None);
    };
    let part = host.state().machine.part_of(slot);
    let mut is_asker = false;
    if let Some(part) = part {
        is_asker = host.state().calling == Some(part);
        if !is_asker && !is_awaitable(&load) {
            return Ok(None);
        }
        if !is_asker && let Some(request) = LoaderHost::request_of(host, part) {
            is_asker = request.call_method0(intern!(host.py(), "is_asker"))?.is_truthy()?;
        }
    }
    let joined = host.state().machine.join(slot, |_| is_asker);
    match joined {
        Join::Shared => Ok(Some(load)),
        Join::Gone => Ok(None),
        Join::SelfWait => {
            let error = loader.call_method1(intern!(host.py(), "_self_wait"), (key,))?;
            failed_load(key, &error).map(Some)
        }
    }
}

/// Returns whether a load can be awaited: the flush of its batch has not begun, or has ended.
fn is_awaitable(load: &Bound<'_, Load>) -> bool {
    let item = load.as_super().state();
    let Some(batch) = &item.batch else { return false };
    let batch = batch.bind(load.py());
    BatchBase::is_in_flight(batch) || !batch.state().flushing
}

/// Makes a load that joins an open batch. `cached_value` is the value that a cache has for the key.
fn make_load<'py>(
    key: &Bound<'py, PyAny>,
    cache_key: &Bound<'py, PyAny>,
    cached_value: Option<Bound<'py, PyAny>>,
    cache: Option<Bound<'py, PyAny>>,
    batch: &Bound<'py, BatchBase>,
) -> PyResult<Bound<'py, Load>> {
    // A cached value is in its cache already.
    let caches = if cached_value.is_some() { None } else { cache.map(Bound::unbind) };
    let mut state = LoadState::of(key);
    state.cache_key = (!cache_key.is(key)).then(|| cache_key.clone().unbind());
    state.cached_value = cached_value.map(Bound::unbind);
    state.caches.extend(caches);
    let load = new_load(key.py(), state)?;
    join(load.as_super(), batch)?;
    Ok(load)
}

fn new_load(py: Python<'_>, state: LoadState) -> PyResult<Bound<'_, Load>> {
    let base =
        PyClassInitializer::from(FutureBase::new(Kind::Item)).add_subclass(BatchItemBase::blank());
    Bound::new(py, base.add_subclass(Load(GilCell::new(state))))
}

fn failed_load<'py>(
    key: &Bound<'py, PyAny>,
    error: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, Load>> {
    let load = new_load(key.py(), LoadState::of(key))?;
    resolve(load.as_super().as_super(), Outcome::from_exception(error)?)?;
    Ok(load)
}
