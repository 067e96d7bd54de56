//! `Load`: one key that a loader was asked for.

use asynq_loader::SlotId;
use pyo3::prelude::*;
use slotmap::Key;

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::ffi::deferred_drop::release;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::object_memory::HotClass;
use crate::future::base::FutureBase;

/// The value of one key, on its way: what `loader.asynq(key)` returns.
///
/// Whoever asks for an equal key while it is on its way gets the same object.
#[pyclass(frozen, extends = BatchItemBase, module = "asynq.loaders")]
pub(crate) struct Load(pub(crate) GilCell<LoadState>);

has_state!(Load: LoadState);

impl HotClass for Load {
    type Base = BatchItemBase;

    #[inline]
    fn give_up(self, py: Python<'_>) {
        let LoadState { key, cache_key, cached_value, caches, .. } = self.0.into_inner();
        release(py, Some(key));
        release(py, cache_key);
        release(py, cached_value);
        for cache in caches {
            release(py, Some(cache));
        }
    }
}

/// State of a [`Load`].
pub(crate) struct LoadState {
    pub(crate) key: Py<PyAny>,
    /// The hashable value that stands for the key, unless that is the key itself.
    pub(crate) cache_key: Option<Py<PyAny>>,
    /// The value of a cached key, which resolves at the same time as the keys that are sent.
    pub(crate) cached_value: Option<Py<PyAny>>,
    /// The mappings that will cache the value.
    pub(crate) caches: Vec<Py<PyAny>>,
    pub(crate) slot: SlotId,
    /// It belongs to a part that has its permits.
    pub(crate) is_sent: bool,
}

impl LoadState {
    /// Creates the state of a load that belongs to no batch yet.
    pub(crate) fn of(key: &Bound<'_, PyAny>) -> Self {
        Self {
            key: key.clone().unbind(),
            cache_key: None,
            cached_value: None,
            caches: Vec::new(),
            slot: SlotId::null(),
            is_sent: false,
        }
    }
}

impl Load {
    pub(crate) fn key<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        slf.state().key.bind(slf.py()).clone()
    }

    /// Returns the value that stands for the key in caches and answers.
    pub(crate) fn cache_key<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let state = slf.state();
        state.cache_key.as_ref().unwrap_or(&state.key).bind(slf.py()).clone()
    }

    pub(crate) fn is_pending(slf: &Bound<'_, Self>) -> bool {
        FutureBase::is_pending(slf.as_super().as_super())
    }

    /// Adds a mapping that will cache the value.
    pub(crate) fn keep_in(slf: &Bound<'_, Self>, cache: &Bound<'_, PyAny>) {
        let mut state = slf.state();
        if state.cached_value.is_none() && !state.caches.iter().any(|other| other.is(cache)) {
            state.caches.push(cache.clone().unbind());
        }
    }

    /// Returns whether it is the load of a cached key that has no value yet.
    pub(crate) fn is_cached(slf: &Bound<'_, Self>) -> bool {
        slf.state().cached_value.is_some()
    }

    /// Takes the value of a cached key.
    pub(crate) fn take_cached_value<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.state().cached_value.take().map(|cached_value| cached_value.into_bound(slf.py()))
    }

    /// Takes the mappings that will cache the value.
    pub(crate) fn take_caches<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, PyAny>> {
        let caches = std::mem::take(&mut slf.state().caches);
        caches.into_iter().map(|cache| cache.into_bound(slf.py())).collect()
    }

    /// Returns the load at an index of a batch, if that is one of a loader.
    pub(crate) fn at<'py>(batch: &Bound<'py, BatchBase>, index: u32) -> Option<Bound<'py, Self>> {
        BatchBase::items(batch).get_item(index as usize).ok()?.cast_into_exact::<Self>().ok()
    }

    /// Returns whether neither its key nor its value can refer back to it; see [`gc_tracking`].
    pub(crate) fn is_leaf(slf: &Bound<'_, Self>) -> bool {
        let py = slf.py();
        let has_leaves = {
            let state = slf.state();
            state.caches.is_empty()
                && state.cache_key.is_none()
                && gc_tracking::is_leaf(state.key.bind(py))
        };
        has_leaves && FutureBase::has_leaf_value(slf.as_super().as_super())
    }
}
