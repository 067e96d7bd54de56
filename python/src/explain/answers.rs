//! Recorded answers: flushes of batches of the user while `asynq.testing` records or replays answers.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use crate::explain::keys;

static ARE_USED: AtomicBool = AtomicBool::new(false);

/// Returns whether answers are recorded or replayed.
pub(crate) fn are_used() -> bool {
    ARE_USED.load(Ordering::Relaxed)
}

/// Sets whether answers are recorded or replayed: then flushes go through `asynq._explain.answers`.
#[pyfunction]
pub(crate) fn use_answers(on: bool) {
    ARE_USED.store(on, Ordering::Relaxed);
}

/// The key of an item of the user: its attribute `key`, or else the values of its attributes. None if it has
/// no attributes.
#[pyfunction]
pub(crate) fn key_of_item<'py>(item: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    keys::key_of_item(item)
}
