//! The observer of flushes: an object of Python that is told of each key, request and answer, such as the
//! tracer of `asynq.opentelemetry`.

use std::sync::atomic::{AtomicBool, Ordering};

use asynq_explain::Reason;
use pyo3::intern;
use pyo3::prelude::*;

use crate::explain::log;

static IS_SET: AtomicBool = AtomicBool::new(false);

/// Sets the observer, which is told as long as something is recorded. Its methods are `asked(batch)`,
/// `sent(request, source, keys, reason, batches)`, `answered(request, failed, error)` and `resolved(batch)`.
#[pyfunction]
pub(crate) fn set_flush_observer(py: Python<'_>, observer: Option<Py<PyAny>>) {
    IS_SET.store(observer.is_some(), Ordering::Relaxed);
    let before = log::with(py, |log| std::mem::replace(&mut log.observer, observer));
    drop(before);
}

/// Calls a method of the observer. It must not disturb what it observes, so its errors go to
/// `sys.unraisablehook`.
fn tell<'py>(
    py: Python<'py>,
    method: &Bound<'py, pyo3::types::PyString>,
    args: impl pyo3::call::PyCallArgs<'py>,
) {
    let observer = log::with(py, |log| log.observer.as_ref().map(|one| one.bind(py).clone()));
    let Some(observer) = observer.flatten() else { return };
    if let Err(error) = observer.call_method1(method, args) {
        error.write_unraisable(py, Some(&observer));
    }
}

/// Returns whether there is one.
pub(crate) fn is_set() -> bool {
    IS_SET.load(Ordering::Relaxed)
}

/// Tells that the code that runs has asked for an item of a batch.
pub(crate) fn asked(py: Python<'_>, batch: u32) {
    if is_set() {
        tell(py, intern!(py, "asked"), (batch,));
    }
}

/// Tells that a request is sent, for items of these batches.
pub(crate) fn sent(
    py: Python<'_>,
    (request, source): (u32, u32),
    keys: usize,
    reason: Reason,
    batches: Vec<u32>,
) {
    let name = log::with(py, |log| log.source(source).map(|source| source.name.clone()));
    let reason = format!("{reason:?}").to_lowercase();
    tell(py, intern!(py, "sent"), (request, name.flatten(), keys, reason, batches));
}

/// Tells that a request is answered.
pub(crate) fn answered(py: Python<'_>, request: u32, failed: u32, error: Option<&str>) {
    tell(py, intern!(py, "answered"), (request, failed, error));
}

/// Tells that all items of a batch have their values.
pub(crate) fn resolved(py: Python<'_>, batch: u32) {
    if is_set() {
        tell(py, intern!(py, "resolved"), (batch,));
    }
}
