//! Values that are there at once.

use pyo3::prelude::*;

use crate::explain::log;
use crate::loader::base::{LoaderBase, look_up};
use crate::loader::cache_key::cache_key;
use crate::loader::outcomes::outcome_of_cached;
use crate::loader::recorded;

/// Returns the cached value of a key, if there is one, and counts the hit.
///
/// # Errors
///
/// The cached error of the key, or an error of the cache.
pub(crate) fn cached_value<'py>(
    loader: &Bound<'py, LoaderBase>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(cache) = LoaderBase::current_cache(loader)? else { return Ok(None) };
    let cache_key = cache_key(loader, key)?;
    let Some(value) = look_up(&cache, &cache_key)? else { return Ok(None) };
    LoaderBase::count_hit(loader);
    if log::is_on() {
        recorded::hits(loader, &cache_key, key);
    }
    outcome_of_cached(&value)?.get(loader.py()).transpose()
}
