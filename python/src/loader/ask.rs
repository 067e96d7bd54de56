//! The path of every load.

use pyo3::prelude::*;
use pyo3::{PyClassInitializer, intern};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::join::join;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::{FutureBase, Kind};
use crate::loader::base::{LoaderBase, look_up};
use crate::loader::cache_key::cache_key;
use crate::loader::load::{Load, LoadState};
use crate::loader::round::RoundBase;
use crate::loader::rounds::Rounds;
use crate::scheduler::state::Scheduler;

/// Asks for a key, in one of these rounds.
pub(crate) fn load<'py>(
    loader: &Bound<'py, LoaderBase>,
    rounds: &Bound<'py, Rounds>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, Load>> {
    // Before anything is changed: it may not be possible.
    let cache_key = cache_key(loader, key)?;
    let cache = LoaderBase::current_cache(loader)?;
    if let Some(load) = Rounds::find(rounds, &cache_key)? {
        if let Some(cache) = &cache {
            Load::keep_in(&load, cache);
        }
        LoaderBase::count_hit(loader);
        return Ok(load);
    }
    let cached_value = match &cache {
        Some(cache) => look_up(cache, &cache_key)?,
        None => None,
    };
    if cached_value.is_some() {
        LoaderBase::count_hit(loader);
    }
    let open = Rounds::open(rounds);
    let open = if let Some(open) = open {
        open
    } else {
        let open = loader.call_method1(intern!(loader.py(), "_open_round"), (rounds,))?;
        let open = open.cast_into::<RoundBase>()?;
        let is_bound = loader.state().owner.is_some();
        Rounds::set_open(rounds, &open, is_bound)?;
        let holder = Scheduler::current().hold_round(&open);
        RoundBase::set_holder(&open, holder);
        open
    };
    // A value from the cache of this scope must not be shared with other scopes.
    let is_shared = cached_value.is_none();
    let load = make_load(key, &cache_key, cached_value, cache, open.as_super())?;
    if is_shared {
        RoundBase::add_load(&open, &cache_key, &load)?;
    }
    if RoundBase::is_held(&open) {
        BatchItemBase::pause_tracking(load.as_super());
    }
    Ok(load)
}

/// Makes a load that joins an open round. `cached_value` is the value that a cache has for the key.
fn make_load<'py>(
    key: &Bound<'py, PyAny>,
    cache_key: &Bound<'py, PyAny>,
    cached_value: Option<Bound<'py, PyAny>>,
    cache: Option<Bound<'py, PyAny>>,
    round: &Bound<'py, BatchBase>,
) -> PyResult<Bound<'py, Load>> {
    // A cached_value value is in its cache already.
    let caches = if cached_value.is_some() { None } else { cache.map(Bound::unbind) };
    let state = LoadState {
        key: key.clone().unbind(),
        cache_key: (!cache_key.is(key)).then(|| cache_key.clone().unbind()),
        cached_value: cached_value.map(Bound::unbind),
        caches: caches.into_iter().collect(),
        wakers: Vec::new(),
    };
    let base =
        PyClassInitializer::from(FutureBase::new(Kind::Item)).add_subclass(BatchItemBase::blank());
    let load = Bound::new(key.py(), base.add_subclass(Load(GilCell::new(state))))?;
    join(load.as_super(), round)?;
    Ok(load)
}
