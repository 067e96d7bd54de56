//! `BatchItemBase`: the base class of the items of a batch, and its state.

use std::num::NonZeroU32;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::ffi::cell_lock::CellLock;
use crate::ffi::deferred_drop::release;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{GilCell, Header, TakeState, has_state};
use crate::ffi::object_memory::HotClass;
use crate::ffi::small_cell::SmallCell;
use crate::future::base::FutureBase;
use crate::imports;

/// One operation of a batch, and the future of its result.
///
/// A subclass adds what the flush has to know, a key for instance, and calls
/// `super().__init__(batch)` with the batch that takes items now. `__slots__` for what it adds saves
/// about 50 bytes per item, and over 300 on Python 3.13.
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.batching")]
pub(crate) struct BatchItemBase(pub(crate) GilCell<Item, Place>);

has_state!(BatchItemBase: Item, Place);

impl HotClass for BatchItemBase {
    type Base = FutureBase;

    #[inline]
    fn give_up(self, py: Python<'_>) {
        release(py, self.0.into_inner().batch);
    }
}

/// State of a [`BatchItemBase`].
pub(crate) struct Item {
    pub(crate) batch: Option<Py<BatchBase>>,
}

/// Small fields of a [`BatchItemBase`]: its place in its batch.
pub(crate) struct Place {
    lock: CellLock,
    pub(crate) index: SmallCell<i32>,
    /// Number of items, this one included, that had been added to the batch when it joined; `None` if it
    /// has not joined one.
    joined: SmallCell<Option<NonZeroU32>>,
}

impl Header for Place {
    #[inline]
    fn lock(&self) -> &CellLock {
        &self.lock
    }
}

impl Place {
    /// Returns the position among all items that were ever added to the batch; `None` if it has not joined
    /// one.
    #[inline]
    pub(crate) fn ordinal(&self) -> Option<u32> {
        self.joined.get().map(|joined| joined.get() - 1)
    }

    pub(crate) fn set_ordinal(&self, ordinal: Option<u32>) {
        self.joined.set(ordinal.and_then(|ordinal| NonZeroU32::MIN.checked_add(ordinal)));
    }
}

impl BatchItemBase {
    /// Makes an item that belongs to no batch yet.
    pub(crate) fn blank() -> Self {
        let place =
            Place { lock: CellLock::new(), index: SmallCell::new(0), joined: SmallCell::new(None) };
        Self(GilCell::with_header(Item { batch: None }, place))
    }

    /// Returns the batch that the item has joined, and its position there; `None` if it has joined none.
    #[inline]
    pub(crate) fn known_place<'py>(slf: &Bound<'py, Self>) -> Option<(Bound<'py, BatchBase>, u32)> {
        let ordinal = slf.header().ordinal()?;
        Some((slf.state().batch.as_ref()?.bind(slf.py()).clone(), ordinal))
    }

    /// Returns the batch that the item has joined, and its position there.
    ///
    /// # Errors
    ///
    /// `TypeError` if it has joined none.
    pub(crate) fn place<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, BatchBase>, u32)> {
        Self::known_place(slf).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "this item belongs to no batch: {} has to call super().__init__(batch)",
                imports::type_name(slf.as_any())
            ))
        })
    }

    /// Takes the item off the collector's lists, because something that the collector does not see
    /// holds its batch.
    pub(crate) fn pause_tracking(slf: &Bound<'_, Self>) {
        let was_paused = slf.as_super().header().item_tracking_paused.replace(true);
        if !was_paused {
            gc_tracking::pause(slf);
        }
    }

    /// Puts the item back on the lists: it is resolved, or the engine does not hold the batch any more.
    pub(crate) fn resume_tracking(slf: &Bound<'_, Self>) {
        let was_paused = slf.as_super().header().item_tracking_paused.replace(false);
        if was_paused {
            gc_tracking::resume(slf);
        }
    }
}

/// Forgets a scheduler that knew a batch, because the call in which an item of it was awaited is over
/// and it was not flushed.
pub(crate) fn leave_behind(batch: &Bound<'_, BatchBase>, scheduler_id: u32) {
    let is_known = {
        let mut state = batch.state();
        state.registrations.remove(scheduler_id);
        !state.registrations.is_empty()
    };
    if !is_known {
        resume_tracking_of_items(batch);
    }
}

/// Puts the items of a batch back on the collector's lists.
pub(crate) fn resume_tracking_of_items(batch: &Bound<'_, BatchBase>) {
    for item in BatchBase::items(batch).iter() {
        if let Ok(item) = item.cast::<BatchItemBase>() {
            BatchItemBase::resume_tracking(item);
        }
    }
}
