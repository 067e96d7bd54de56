//! `BatchBase`: the base class of batches, and its state.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::batch::registration::Registrations;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::future::base::FutureBase;
use crate::task::async_task::AsyncTask;

/// A batch of operations, sent together by `_flush()`.
///
/// A subclass for each kind of source overrides
///
/// - `_flush()`: asks the source for all of `self.items`, and calls `set_value` or `set_error` on
///   each of them;
/// - `_try_switch_active_batch()`: makes a new batch the one that takes items from now on;
/// - if it wants, `get_priority()` and `_cancel()`.
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.batching")]
pub(crate) struct BatchBase(pub(crate) GilCell<Batch>);

has_state!(BatchBase: Batch);

/// State of a [`BatchBase`].
pub(crate) struct Batch {
    pub(crate) items: Option<Py<PyList>>,
    /// Number of items that were ever added.
    pub(crate) count: u32,
    pub(crate) flushing: bool,
    /// Number of the scheduler that flushes it, 0 if there are no greenlets.
    pub(crate) flushed_by: u32,
    pub(crate) flight: Arrival,
    pub(crate) registrations: Registrations,
    pub(crate) total_time: i64,
    /// Number of the batch in the log of `asynq.explain()`; 0 if it has none.
    pub(crate) recorded: u32,
    /// Number of its class as a source there, and the epoch of the log.
    pub(crate) recorded_source: (u32, u32),
}

/// Way in which the values of a batch arrive.
pub(crate) enum Arrival {
    /// With its flush.
    None,
    /// By a task of ours, after the flush.
    Task(Py<AsyncTask>),
    /// From outside, after the flush.
    External,
}

impl Drop for Batch {
    fn drop(&mut self) {
        defer_drop(self.items.take());
        if let Arrival::Task(task) = std::mem::replace(&mut self.flight, Arrival::None) {
            defer_drop(Some(task));
        }
    }
}

impl BatchBase {
    /// Makes a batch without items.
    pub(crate) fn blank(py: Python<'_>) -> Self {
        Self(GilCell::new(Batch {
            items: Some(PyList::empty(py).unbind()),
            count: 0,
            flushing: false,
            flushed_by: 0,
            flight: Arrival::None,
            registrations: Registrations::default(),
            total_time: 0,
            recorded: 0,
            recorded_source: (0, 0),
        }))
    }

    pub(crate) fn items<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyList> {
        let py = slf.py();
        let items = slf.state().items.as_ref().map(|items| items.bind(py).clone());
        items.unwrap_or_else(|| PyList::empty(py))
    }

    pub(crate) fn is_flushed(slf: &Bound<'_, Self>) -> bool {
        !FutureBase::is_pending(slf.as_super())
    }

    /// Returns whether the flush has ended, and its values come later.
    pub(crate) fn is_in_flight(slf: &Bound<'_, Self>) -> bool {
        !matches!(slf.state().flight, Arrival::None)
    }
}
