//! `Load`: one key that a loader was asked for.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::base::{FutureBase, Kind};
use crate::imports;

/// The value of one key, on its way: what `loader.asynq(key)` returns.
///
/// Whoever asks for an equal key while it is on its way gets the same object.
#[pyclass(frozen, extends = BatchItemBase, module = "asynq.loaders")]
pub(crate) struct Load(GilCell<LoadState>);

struct LoadState {
    key: Py<PyAny>,
    /// What it has already: then it only goes with the others.
    cached_value: Option<Py<PyAny>>,
    /// The mappings in which its value is to be kept.
    caches: Vec<Py<PyAny>>,
}

impl Load {
    fn state(&self) -> CellGuard<'_, LoadState> {
        self.0.take()
    }

    /// A load that joins an open round. `cached_value` is what was kept for the key.
    pub(crate) fn create<'py>(
        key: &Bound<'py, PyAny>,
        cached_value: Option<Bound<'py, PyAny>>,
        cache: Option<Bound<'py, PyAny>>,
        round: &Bound<'py, BatchBase>,
    ) -> PyResult<Bound<'py, Self>> {
        // A cached_value value is in its cache already.
        let caches = if cached_value.is_some() { None } else { cache.map(Bound::unbind) };
        let state = LoadState {
            key: key.clone().unbind(),
            cached_value: cached_value.map(Bound::unbind),
            caches: caches.into_iter().collect(),
        };
        let base = PyClassInitializer::from(FutureBase::new(Kind::Item))
            .add_subclass(BatchItemBase::blank());
        let load = Bound::new(key.py(), base.add_subclass(Self(GilCell::new(state))))?;
        BatchItemBase::join(load.as_super(), round)?;
        Ok(load)
    }

    pub(crate) fn is_pending(slf: &Bound<'_, Self>) -> bool {
        slf.as_super().as_super().get().state().outcome.is_pending()
    }

    /// Has the value kept in one more cache.
    pub(crate) fn keep_in(slf: &Bound<'_, Self>, cache: &Bound<'_, PyAny>) {
        let mut state = slf.get().state();
        if state.cached_value.is_none() && !state.caches.iter().any(|other| other.is(cache)) {
            state.caches.push(cache.clone().unbind());
        }
    }

    /// Its value is not to be kept in `cache`.
    pub(crate) fn forget(slf: &Bound<'_, Self>, cache: &Bound<'_, PyAny>) {
        let before = {
            let mut state = slf.get().state();
            let index = state.caches.iter().position(|other| other.is(cache));
            index.map(|index| state.caches.swap_remove(index))
        };
        drop(before);
    }

    /// What it has already, if it was kept.
    pub(crate) fn take_cached_value<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.get().state().cached_value.take().map(|cached_value| cached_value.into_bound(slf.py()))
    }

    /// Where its value is to be kept, which is done now.
    pub(crate) fn take_caches<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, PyAny>> {
        let caches = std::mem::take(&mut slf.get().state().caches);
        caches.into_iter().map(|cache| cache.into_bound(slf.py())).collect()
    }

    /// Whether nothing that it has come to can refer back to it; see [`gc_tracking`].
    pub(crate) fn is_leaf(slf: &Bound<'_, Self>) -> bool {
        let py = slf.py();
        let has_leaves = {
            let state = slf.get().state();
            state.caches.is_empty() && gc_tracking::is_leaf(state.key.bind(py))
        };
        has_leaves && FutureBase::has_leaf_value(slf.as_super().as_super())
    }

    /// Computes it by a call of its own, since its flush may take until later.
    pub(crate) fn compute(slf: &Bound<'_, Self>) -> PyResult<()> {
        match imports::wait_for_load(slf.py())?.call1((slf,)) {
            Ok(_) => Ok(()),
            // The error is that of the load, unless the call was interrupted.
            Err(error)
                if !Self::is_pending(slf) && error.is_instance_of::<PyException>(slf.py()) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

#[pymethods]
impl Load {
    #[getter]
    pub(crate) fn key<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        slf.get().state().key.bind(slf.py()).clone()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.try_take() else { return Ok(()) };
        visit.call(&state.key)?;
        visit.call(&state.cached_value)?;
        state.caches.iter().try_for_each(|cache| visit.call(cache))
    }

    fn __clear__(&self) {
        let before = {
            let mut state = self.state();
            (state.cached_value.take(), std::mem::take(&mut state.caches))
        };
        drop(before);
    }
}
