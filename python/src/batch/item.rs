//! `BatchItemBase`: one key of a batch.

use asynq_engine::ItemId;
use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::{self as batch, BatchBase};
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::base::{FutureBase, Kind};
use crate::imports;
use crate::loader::load::Load;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;

/// One operation of a batch, and the future of its result.
///
/// A subclass adds what the flush has to know, a key for instance, and calls
/// `super().__init__(batch)` with the batch that takes items now.
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.batching")]
pub(crate) struct BatchItemBase(GilCell<Item>);

/// What changes of a [`BatchItemBase`].
pub(crate) struct Item {
    batch: Option<Py<BatchBase>>,
    index: i64,
    /// Its place among all items ever added to the batch.
    ordinal: u32,
    /// Whether the garbage collector passes over it; see [`gc_tracking`].
    tracking_paused: bool,
    total_time: i64,
    id: i64,
}

impl BatchItemBase {
    pub(crate) fn state(&self) -> CellGuard<'_, Item> {
        self.0.take()
    }
}

#[pymethods]
impl BatchItemBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Item)).add_subclass(Self::blank())
    }

    fn __init__(slf: &Bound<'_, Self>, batch: &Bound<'_, BatchBase>) -> PyResult<()> {
        Self::join(slf, batch)
    }

    /// The batch it belongs to.
    #[getter]
    fn batch(slf: &Bound<'_, Self>) -> Option<Py<BatchBase>> {
        slf.get().state().batch.as_ref().map(|batch| batch.clone_ref(slf.py()))
    }

    #[setter]
    fn set_batch(slf: &Bound<'_, Self>, batch: Option<Py<BatchBase>>) {
        Self::resume_tracking(slf);
        let before = std::mem::replace(&mut slf.get().state().batch, batch);
        drop(before);
    }

    /// Its place in the batch.
    #[getter(index)]
    fn index(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().index
    }

    #[setter(index)]
    fn set_index(slf: &Bound<'_, Self>, index: i64) {
        slf.get().state().index = index;
    }

    #[getter(_total_time)]
    fn total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().total_time
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, total_time: i64) {
        slf.get().state().total_time = total_time;
    }

    #[getter(_id)]
    fn id(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().id
    }

    #[setter(_id)]
    fn set_id(slf: &Bound<'_, Self>, id: i64) {
        slf.get().state().id = id;
    }

    /// The name of the item in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "item_to_str", (slf,))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_take() {
            Some(item) => visit.call(&item.batch),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = self.state().batch.take();
        drop(before);
    }
}

impl BatchItemBase {
    /// An item that belongs to no batch yet.
    pub(crate) fn blank() -> Self {
        Self(GilCell::new(Item {
            batch: None,
            index: 0,
            ordinal: 0,
            tracking_paused: false,
            total_time: 0,
            id: 0,
        }))
    }

    /// Becomes the last item of an open batch.
    pub(crate) fn join(slf: &Bound<'_, Self>, batch: &Bound<'_, BatchBase>) -> PyResult<()> {
        let py = slf.py();
        let items = BatchBase::items(batch);
        let ordinal = {
            let mut inner = batch.get().state();
            if inner.flushing || batch::is_flushed(batch) {
                drop(inner);
                return Err(PyAssertionError::new_err(
                    "can't add an item to the batch that is already flushed: its \
                     _try_switch_active_batch() has to make another one take its place",
                ));
            }
            let ordinal = inner.count;
            inner.count += 1;
            ordinal
        };
        let index = items.len();
        items.append(slf)?;
        batch::tell_items(batch);
        let id = if Switches::on().has(Switches::COLLECT_PERF_STATS) {
            imports::incr_counter(py)?.call0()?.extract()?
        } else {
            0
        };
        let mut item = slf.get().state();
        item.index = i64::try_from(index).unwrap_or(i64::MAX);
        item.ordinal = ordinal;
        item.id = id;
        let before = item.batch.replace(batch.clone().unbind());
        drop(item);
        drop(before);
        Ok(())
    }

    pub(crate) fn batch_of<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, BatchBase>> {
        let batch = slf.get().state().batch.as_ref().map(|batch| batch.bind(slf.py()).clone());
        batch.ok_or_else(|| {
            PyTypeError::new_err(format!(
                "{} belongs to no batch: its class has to call super().__init__(batch)",
                slf.get_type()
            ))
        })
    }

    /// Under which id the scheduler of this thread knows the item, from now on.
    pub(crate) fn register(slf: &Bound<'_, Self>, scheduler: &Scheduler) -> PyResult<ItemId> {
        let batch = batch::register(scheduler, &Self::batch_of(slf)?)?;
        // The engine holds the batch, and that holds its items.
        Self::pause_tracking(slf);
        let index = slf.get().state().ordinal;
        Ok(ItemId { batch, index })
    }

    /// Something that the collector does not see holds the batch.
    pub(crate) fn pause_tracking(slf: &Bound<'_, Self>) {
        let was_paused = std::mem::replace(&mut slf.get().state().tracking_paused, true);
        if !was_paused {
            gc_tracking::pause(slf);
        }
    }

    /// The engine does not hold the batch any more, or the item has its value.
    pub(crate) fn resume_tracking(slf: &Bound<'_, Self>) {
        let was_paused = std::mem::take(&mut slf.get().state().tracking_paused);
        if was_paused {
            gc_tracking::resume(slf);
        }
    }

    /// The item has its value or error.
    pub(crate) fn computed(slf: &Bound<'_, Self>) {
        let load = slf.cast_exact::<Load>().ok();
        if !load.is_some_and(Load::is_leaf) {
            Self::resume_tracking(slf);
        }
        let (batch, index) = {
            let mut item = slf.get().state();
            // Of a load nobody wants to know the batch afterwards, and it would keep that alive.
            let batch = match load {
                Some(_) => item.batch.take(),
                None => item.batch.as_ref().map(|batch| batch.clone_ref(slf.py())),
            };
            (batch, item.ordinal)
        };
        let Some(batch) = batch else { return };
        let (home, node) = {
            let batch = batch.bind(slf.py()).get().state();
            (batch.home, batch.node.filter(|_| index < batch.known))
        };
        if let Some(batch) = node {
            Scheduler::complete_item(home, ItemId { batch, index });
        }
    }
}
