//! `BatchBase` as Python sees it.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::batch::base::{Arrival, BatchBase};
use crate::batch::flush::check_open;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::{FutureBase, Kind};
use crate::future::compute;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::options::Switches;

#[pymethods]
impl BatchBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Batch)).add_subclass(Self::blank(py))
    }

    #[pyo3(signature = ())]
    fn __init__(_slf: &Bound<'_, Self>) {}

    /// Items of the batch, in the order in which they were made. Empty once it was flushed.
    #[getter(items)]
    fn py_items<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyList> {
        Self::items(slf)
    }

    #[setter]
    fn set_items(slf: &Bound<'_, Self>, items: Py<PyList>) {
        let before = slf.state().items.replace(items);
        defer_drop(before);
    }

    /// Returns whether the batch was flushed or cancelled.
    #[pyo3(name = "is_flushed")]
    fn py_is_flushed(slf: &Bound<'_, Self>) -> bool {
        Self::is_flushed(slf)
    }

    /// Returns whether the batch was cancelled, or its flush failed.
    fn is_cancelled(slf: &Bound<'_, Self>) -> bool {
        slf.as_super().state().outcome().error().is_some()
    }

    /// Returns whether the batch has no items.
    fn is_empty(slf: &Bound<'_, Self>) -> bool {
        Self::items(slf).is_empty()
    }

    /// Returns the priority of the batch. When nothing can run, the batch of highest priority is
    /// flushed, among equals the one whose items were awaited first.
    ///
    /// The default is `(0, len(self.items))`. Numbers, strings, and tuples of them will do.
    fn get_priority(slf: &Bound<'_, Self>) -> (i64, usize) {
        (0, Self::items(slf).len())
    }

    /// Flushes the batch now. An error in the flush is not raised here but becomes that of the items.
    ///
    /// Raises `BatchingError` if the batch was flushed or cancelled already, or is being flushed.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        check_open(slf)?;
        let dump = Switches::on().has(Switches::DUMP_FLUSH_BATCH);
        if dump {
            imports::trace(py, "flush_begin", (slf,));
        }
        let flushed = compute::error(slf.as_super());
        if Self::is_in_flight(slf) {
            return Ok(());
        }
        if !Switches::on().has(Switches::KEEP_DEPENDENCIES) {
            // A batch and its items refer to each other: break the circle.
            Self::items(slf).call_method0(intern!(py, "clear"))?;
        }
        if dump {
            imports::trace(py, "flush_end", (slf,));
        }
        flushed.map(|_| ())
    }

    /// Cancels the batch: its items get `error`, by default a `BatchCancelledError`. Does nothing if
    /// the batch was flushed or cancelled already.
    #[pyo3(signature = (error=None))]
    fn cancel(slf: &Bound<'_, Self>, error: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        if Self::is_flushed(slf) {
            return Ok(());
        }
        let error = match error {
            Some(error) => error,
            None => imports::batch_cancelled(slf.py())?.call0()?,
        };
        resolve(slf.as_super(), Outcome::from_exception(&error)?)
    }

    /// Override this: ask the source for all of `self.items`, and set the value or error of each.
    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override _flush()",
            imports::type_name(slf.as_any())
        )))
    }

    /// Override this if something has to be done when the batch is cancelled.
    fn _cancel(_slf: &Bound<'_, Self>) {}

    /// Override this: if this batch is the one that takes items, make a new one take its place. It
    /// must not fail.
    fn _try_switch_active_batch(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override _try_switch_active_batch()",
            imports::type_name(slf.as_any())
        )))
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "batch_str", (slf,))
    }

    /// The name of the batch in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        slf.str()
    }

    /// Appends the batch to the profile, `time_taken` in microseconds.
    fn dump_perf_stats(slf: &Bound<'_, Self>, time_taken: i64) -> PyResult<()> {
        slf.state().total_time = time_taken;
        imports::describe(slf.py(), "batch_dump_perf_stats", (slf, time_taken)).map(|_| ())
    }

    #[getter]
    fn _total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.state().total_time
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, time: i64) {
        slf.state().total_time = time;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(batch) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&batch.items)?;
        match &batch.flight {
            Arrival::Task(task) => visit.call(task),
            Arrival::None | Arrival::External => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut batch = slf.state();
            (batch.items.take(), std::mem::replace(&mut batch.flight, Arrival::None))
        };
        drop(before);
    }
}
