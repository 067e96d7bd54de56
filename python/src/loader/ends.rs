//! Ends of loads: a batch ends with the last one.

use asynq_loader::SlotId;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::flights;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::loader::nodes::{LoaderBatch, LoaderHost};
use crate::loader::send::{self, loader_of};

/// Returns whether somebody waits for cached keys of the batch, and nobody for its other loads. Then the
/// batch stays open: waiting for cached keys sends nothing.
pub(crate) fn waits_for_cached_alone(batch: &Bound<'_, LoaderBatch>) -> bool {
    let waits = {
        let keys = batch.state();
        !keys.is_wanted && keys.has_uncached && keys.wants_cached
    };
    waits && LoaderBatch::host(batch).is_some() && loader_of(batch).is_some()
}

/// Resolves the loads of cached keys.
///
/// # Errors
///
/// The error of a subscriber of a load. All loads are resolved even then.
pub(crate) fn resolve_cached(batch: &Bound<'_, LoaderBatch>) -> PyResult<()> {
    batch.state().wants_cached = false;
    let (Some(host), Some(loader)) = (LoaderBatch::host(batch), loader_of(batch)) else {
        return Ok(());
    };
    host.state().machine.cached_ready(false);
    let performed = send::perform(&host, &loader);
    // In a loop over cached keys, the resolved items would become more and more.
    let items = BatchBase::items(batch.as_super());
    while let Some(last) = items.len().checked_sub(1)
        && items
            .get_item(last)?
            .cast::<FutureBase>()
            .is_ok_and(|item| !FutureBase::is_pending(item))
    {
        items.del_item(last)?;
    }
    performed
}

/// Follows the end of one of its loads, and ends the flight with the last one.
///
/// # Errors
///
/// The error of a subscriber of the batch.
pub(crate) fn end_load(batch: &Bound<'_, LoaderBatch>, slot: SlotId) -> PyResult<()> {
    let Some(host) = LoaderBatch::host(batch) else { return Ok(()) };
    let (place, is_withdrawn) = {
        let mut state = host.state();
        let place = state.places.remove(slot);
        // Somebody else than the loader has resolved it.
        let is_withdrawn = state.machine.is_pending(slot);
        if is_withdrawn && !state.machine.withdraw(slot) {
            state.machine.clear(slot);
        }
        (place, is_withdrawn)
    };
    let Some(place) = place else { return Ok(()) };
    let (load, number, is_last) = {
        let mut keys = batch.state();
        let load = keys.loads.get_mut(place.index).and_then(Option::take);
        keys.pending -= usize::from(load.is_some());
        let is_last = load.is_some() && keys.pending == 0;
        (load, keys.number, is_last)
    };
    drop(load);
    let mut result = Ok(());
    if is_withdrawn && let Some(loader) = loader_of(batch) {
        result = send::perform(&host, &loader);
    }
    if is_last && !host.state().is_open(number) {
        LoaderHost::forget_batch(&host, number);
        if BatchBase::is_in_flight(batch.as_super()) {
            result = result.and(flights::complete(batch.as_super()));
        }
    }
    result
}
