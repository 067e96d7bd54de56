//! `Counter`: totals of a loader.

use pyo3::prelude::*;

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};

/// Adds up the calls of a loader's batch function, in any thread. It needs no lock, which a fork could
/// leave locked.
#[pyclass(frozen, module = "asynq.loaders")]
#[derive(Default)]
pub(crate) struct Counter(GilCell<Totals>);

has_state!(Counter: Totals);

/// State of a [`Counter`].
#[derive(Default)]
pub(crate) struct Totals {
    batches: u64,
    keys: u64,
    largest: u64,
    seconds: f64,
}

#[pymethods]
impl Counter {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds a call with so many keys that took so many seconds.
    fn add(slf: &Bound<'_, Self>, keys: u64, seconds: f64) {
        let mut totals = slf.state();
        totals.batches += 1;
        totals.keys += keys;
        totals.largest = totals.largest.max(keys);
        totals.seconds += seconds;
    }

    /// Number of calls, keys of all calls, keys of the largest call, and seconds of all calls.
    #[getter]
    fn totals(slf: &Bound<'_, Self>) -> (u64, u64, u64, f64) {
        let totals = slf.state();
        (totals.batches, totals.keys, totals.largest, totals.seconds)
    }
}
