//! Values that are there at once.

use pyo3::prelude::*;

use crate::loader::base::{LoaderBase, look_up};
use crate::loader::cache_key::cache_key;
use crate::loader::outcomes::outcome_of_cached;

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
    let Some(value) = look_up(&cache, &cache_key(loader, key)?)? else { return Ok(None) };
    LoaderBase::count_hit(loader);
    outcome_of_cached(&value)?.get(loader.py()).transpose()
}
