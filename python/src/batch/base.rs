//! `BatchBase`: keys that are asked for together.

use asynq_engine::{BatchId, PriorityRule};
use pyo3::exceptions::{PyAssertionError, PyException, PyNotImplementedError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::batch::flights::{self, Flight};
use crate::batch::item::BatchItemBase;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::base::{self as future, FutureBase, Kind, settle};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::scheduler::state::Scheduler;

/// A batch of operations, sent together by `_flush()`.
///
/// A subclass for each kind of source overrides
///
/// - `_flush()`: asks the source for all of `self.items`, and calls `set_value` or `set_error` on
///   each of them;
/// - `_try_switch_active_batch()`: makes a new batch the one that takes items from now on;
/// - if it wants, `get_priority()` and `_cancel()`.
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.batching")]
pub(crate) struct BatchBase(GilCell<Batch>);

/// What changes of a [`BatchBase`].
pub(crate) struct Batch {
    items: Option<Py<PyList>>,
    /// How many items were ever added.
    pub(crate) count: u32,
    /// How many of them the engine knows.
    pub(crate) known: u32,
    pub(crate) flushing: bool,
    /// Whether its values come later than its flush has ended.
    pub(crate) flight: Flight,
    /// Which thread's scheduler knows this batch, 0 for none, and under which id.
    pub(crate) home: u32,
    pub(crate) node: Option<BatchId>,
    total_time: i64,
}

impl BatchBase {
    /// A batch without items.
    pub(crate) fn blank(py: Python<'_>) -> Self {
        Self(GilCell::new(Batch {
            items: Some(PyList::empty(py).unbind()),
            count: 0,
            known: 0,
            flushing: false,
            flight: Flight::None,
            home: 0,
            node: None,
            total_time: 0,
        }))
    }

    pub(crate) fn state(&self) -> CellGuard<'_, Batch> {
        self.0.take()
    }
}

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

    /// The items of the batch, in the order in which they were made. Empty once it was flushed.
    #[getter]
    pub(crate) fn items<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyList> {
        let py = slf.py();
        let items = slf.get().state().items.as_ref().map(|items| items.bind(py).clone());
        items.unwrap_or_else(|| PyList::empty(py))
    }

    #[setter]
    fn set_items(slf: &Bound<'_, Self>, items: Py<PyList>) {
        let before = slf.get().state().items.replace(items);
        drop(before);
    }

    /// Whether the batch was flushed or cancelled.
    #[pyo3(name = "is_flushed")]
    fn py_is_flushed(slf: &Bound<'_, Self>) -> bool {
        is_flushed(slf)
    }

    /// Whether the batch was cancelled, or its flush failed.
    fn is_cancelled(slf: &Bound<'_, Self>) -> bool {
        slf.as_super().get().state().outcome.error().is_some()
    }

    /// Whether it has no items.
    fn is_empty(slf: &Bound<'_, Self>) -> bool {
        Self::items(slf).is_empty()
    }

    /// How urgent the batch is: when nothing can run, the one of highest priority is flushed, among
    /// equals the one whose items were awaited first.
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
        let why_not = match (is_flushed(slf), slf.get().state().flushing) {
            (true, _) => Some("Batch is already flushed or cancelled."),
            (false, true) => Some("Batch is being flushed already: its items have no values yet."),
            (false, false) => None,
        };
        if let Some(why_not) = why_not {
            return Err(imports::new_error(imports::batching_error, py, why_not));
        }
        let dump = Switches::on().has(Switches::DUMP_FLUSH_BATCH);
        if dump {
            imports::trace(py, "flush_begin", (slf,));
        }
        let flushed = FutureBase::error(slf.as_super());
        if flights::is_in_flight(slf) {
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

    /// Cancels the batch: its items get `error`, `BatchCancelledError()` by default. Does nothing if
    /// the batch was flushed or cancelled already.
    #[pyo3(signature = (error=None))]
    fn cancel(slf: &Bound<'_, Self>, error: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        if is_flushed(slf) {
            return Ok(());
        }
        let error = match error {
            Some(error) => error,
            None => imports::batch_cancelled(slf.py())?.call0()?,
        };
        settle(slf.as_super(), Outcome::from_exception(&error)?)
    }

    /// Override this: ask the source for all of `self.items`, and set the value or error of each.
    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!("{} has to override _flush()", slf.get_type())))
    }

    /// Override this if something has to be done when the batch is cancelled.
    fn _cancel(_slf: &Bound<'_, Self>) {}

    /// Override this: if this batch is the one that takes items, make a new one take its place. It
    /// must not fail.
    fn _try_switch_active_batch(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override _try_switch_active_batch()",
            slf.get_type()
        )))
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "batch_str", (slf,))
    }

    /// The name of the batch in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        slf.str()
    }

    /// Appends the batch to the profile, `time_taken` in microseconds.
    fn dump_perf_stats(slf: &Bound<'_, Self>, time_taken: i64) -> PyResult<()> {
        slf.get().state().total_time = time_taken;
        imports::describe(slf.py(), "batch_dump_perf_stats", (slf, time_taken)).map(|_| ())
    }

    #[getter]
    fn _total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().total_time
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, time: i64) {
        slf.get().state().total_time = time;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(batch) = self.0.try_take() else { return Ok(()) };
        visit.call(&batch.items)?;
        match &batch.flight {
            Flight::Task(task) => visit.call(task),
            Flight::None | Flight::External => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = {
            let mut batch = self.state();
            (batch.items.take(), std::mem::replace(&mut batch.flight, Flight::None))
        };
        drop(before);
    }
}

pub(crate) fn is_flushed(batch: &Bound<'_, BatchBase>) -> bool {
    !batch.as_super().get().state().outcome.is_pending()
}

/// Makes the batch known to the scheduler of this thread, because one of its items is awaited.
pub(crate) fn register(scheduler: &Scheduler, batch: &Bound<'_, BatchBase>) -> PyResult<BatchId> {
    let (home, node, flushing) = {
        let batch = batch.get().state();
        (batch.home, batch.node, batch.flushing)
    };
    let in_flight = flights::is_in_flight(batch);
    if let Some(node) = node {
        scheduler.check_home(home, batch.as_any())?;
        // Another thread may have added some.
        tell_items(batch);
        return Ok(node);
    }
    if (flushing && !in_flight) || is_flushed(batch) {
        return Err(imports::new_error(
            imports::batching_error,
            batch.py(),
            "this item can't be awaited: its batch is flushed already, and it got no value yet",
        ));
    }
    if Switches::on().has(Switches::DUMP_SCHEDULE_BATCH) {
        imports::trace(batch.py(), "schedule_batch", (batch,));
    }
    let rule = if overrides::<BatchBase>(batch.as_any(), intern!(batch.py(), "get_priority")) {
        PriorityRule::Ask
    } else {
        PriorityRule::BySize
    };
    let node = scheduler.engine().add_batch(batch.clone().unbind(), rule);
    {
        let mut inner = batch.get().state();
        inner.home = scheduler.home();
        inner.node = Some(node);
        inner.known = 0;
    }
    tell_items(batch);
    if in_flight {
        // The call in which it took off is over.
        scheduler.engine().begin_flush(node);
        flights::adopt(batch)?;
        flights::defer(batch)?;
    }
    Ok(node)
}

/// Tells the engine of items that it does not know, if it knows the batch. Only the thread of the
/// batch can; what others add is told when it is awaited.
pub(crate) fn tell_items(batch: &Bound<'_, BatchBase>) {
    let mut inner = batch.get().state();
    let Some(node) = inner.node else { return };
    let new = inner.count - inner.known;
    if new > 0 && Scheduler::add_items(inner.home, node, new) {
        inner.known = inner.count;
    }
}

/// The call in which an item of the batch was awaited is over, and it was not flushed.
pub(crate) fn left_behind(batch: &Bound<'_, BatchBase>) {
    {
        let mut inner = batch.get().state();
        inner.home = 0;
        inner.node = None;
    }
    for item in BatchBase::items(batch).iter() {
        if let Ok(item) = item.cast::<BatchItemBase>() {
            BatchItemBase::resume_tracking(item);
        }
    }
}

/// Flushes the batch: this is its `_compute()`.
pub(crate) fn compute(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let py = batch.py();
    if flights::is_in_flight(batch) {
        return Err(imports::new_error(
            imports::batching_error,
            py,
            "the batch was sent, and its values are on their way: wait for one of its items",
        ));
    }
    let (home, node) = {
        let mut inner = batch.get().state();
        inner.flushing = true;
        (inner.home, inner.node)
    };
    if let Some(node) = node {
        Scheduler::begin_flush(home, node);
    }
    let flushed = batch
        .call_method0(intern!(py, "_try_switch_active_batch"))
        .and_then(|_| batch.call_method0(intern!(py, "_flush")));
    if flushed.is_ok() && flights::is_in_flight(batch) {
        return flights::defer(batch);
    }
    let unheard = flushed.as_ref().err().and_then(|error| unheard(batch, error));
    let settled = if is_flushed(batch) {
        // The flush has cancelled the batch, or set its value itself.
        Ok(())
    } else {
        let outcome = match flushed {
            Ok(_) => Outcome::Value(py.None()),
            Err(error) => Outcome::from_err(py, &error),
        };
        settle(batch.as_super(), outcome)
    };
    batch.get().state().flushing = false;
    match unheard {
        Some(error) => Err(error),
        None => settled,
    }
}

/// The batch was flushed or cancelled: every item that has neither value nor error gets one.
pub(crate) fn computed(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let py = batch.py();
    let mut result = batch.call_method0(intern!(py, "_try_switch_active_batch")).map(|_| ());
    let error = match future::outcome(batch.as_super()) {
        Some(Err(error)) => Some(error),
        _ => None,
    };
    if error.is_some() && overrides::<BatchBase>(batch.as_any(), intern!(py, "_cancel")) {
        result = result.and(batch.call_method0(intern!(py, "_cancel")).map(|_| ()));
    }
    let items = BatchBase::items(batch);
    let mut index = 0;
    // By index: a subscriber may change the list.
    while let Ok(item) = items.get_item(index) {
        index += 1;
        let Ok(item) = item.cast::<FutureBase>() else { continue };
        if item.get().state().outcome.is_pending() {
            let outcome = match &error {
                Some(error) => Outcome::from_err(py, error),
                None => Outcome::from_err(py, &forgotten()),
            };
            result = result.and(settle(item, outcome));
        }
    }
    let (home, node) = {
        let mut inner = batch.get().state();
        (inner.home, inner.node.take())
    };
    if let Some(node) = node {
        Scheduler::close(home, node);
    }
    result
}

/// `KeyboardInterrupt` and the like must not be lost: the error of a flush if it is one, and all
/// items have their values already, so that nobody would get it.
fn unheard(batch: &Bound<'_, BatchBase>, error: &PyErr) -> Option<PyErr> {
    let py = batch.py();
    let takes_it = |item: Bound<'_, PyAny>| {
        item.cast::<FutureBase>().is_ok_and(|item| item.get().state().outcome.is_pending())
    };
    let heard =
        error.is_instance_of::<PyException>(py) || BatchBase::items(batch).iter().any(takes_it);
    (!heard).then(|| error.clone_ref(py))
}

fn forgotten() -> PyErr {
    PyAssertionError::new_err("Value of this item wasn't set on batch flush.")
}
