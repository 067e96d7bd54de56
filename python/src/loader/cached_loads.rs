//! Loads of cached keys, which resolve with their round.

use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::future::resolve::resolve;
use crate::loader::load::Load;
use crate::loader::outcomes::outcome_of_cached;
use crate::loader::round::RoundBase;

/// Resolves the loads of cached keys if nobody waits for another load of the round, which then stays
/// open: waiting for cached keys sends nothing. Returns whether that is so.
///
/// # Errors
///
/// The error of a subscriber of a load. All loads are resolved even then.
pub(crate) fn resolve_alone(round: &Bound<'_, RoundBase>) -> PyResult<bool> {
    let cached = {
        let mut state = round.state();
        if state.is_wanted || !state.has_keys || state.cached.is_empty() {
            return Ok(false);
        }
        std::mem::take(&mut state.cached)
    };
    let mut result = Ok(true);
    for load in cached {
        let load = load.bind(round.py());
        let Some(value) = Load::take_cached_value(load) else { continue };
        if Load::is_pending(load)
            && let Err(error) = resolve(load.as_super().as_super(), outcome_of_cached(&value)?)
        {
            result = Err(error);
        }
    }
    // In a loop over cached keys, the resolved items would become more and more.
    let items = BatchBase::items(round.as_super());
    while let Some(last) = items.len().checked_sub(1)
        && items
            .get_item(last)?
            .cast::<FutureBase>()
            .is_ok_and(|item| !FutureBase::is_pending(item))
    {
        items.del_item(last)?;
    }
    result
}
