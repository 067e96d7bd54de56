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
pub(crate) struct Load(GilCell<Asked>);

struct Asked {
    key: Py<PyAny>,
    /// What it has already: then it only goes with the others.
    known: Option<Py<PyAny>>,
    /// The mappings in which its value is to be kept.
    places: Vec<Py<PyAny>>,
}

impl Load {
    fn state(&self) -> CellGuard<'_, Asked> {
        self.0.take()
    }

    /// A load that joins an open round. `known` is what was kept for the key.
    pub(crate) fn create<'py>(
        key: &Bound<'py, PyAny>,
        known: Option<Bound<'py, PyAny>>,
        place: Option<Bound<'py, PyAny>>,
        round: &Bound<'py, BatchBase>,
    ) -> PyResult<Bound<'py, Self>> {
        let places = match &known {
            // It is there already.
            Some(_) => Vec::new(),
            None => place.map(Bound::unbind).into_iter().collect(),
        };
        let asked = Asked { key: key.clone().unbind(), known: known.map(Bound::unbind), places };
        let base = PyClassInitializer::from(FutureBase::new(Kind::Item))
            .add_subclass(BatchItemBase::blank());
        let load = Bound::new(key.py(), base.add_subclass(Self(GilCell::new(asked))))?;
        BatchItemBase::join(load.as_super(), round)?;
        Ok(load)
    }

    pub(crate) fn is_pending(slf: &Bound<'_, Self>) -> bool {
        slf.as_super().as_super().get().state().outcome.is_pending()
    }

    /// Has the value kept in one more place.
    pub(crate) fn keep_in(slf: &Bound<'_, Self>, place: &Bound<'_, PyAny>) {
        let mut asked = slf.get().state();
        if asked.known.is_none() && !asked.places.iter().any(|other| other.is(place)) {
            asked.places.push(place.clone().unbind());
        }
    }

    /// Its value is not to be kept in `place`.
    pub(crate) fn forget(slf: &Bound<'_, Self>, place: &Bound<'_, PyAny>) {
        let before = {
            let mut asked = slf.get().state();
            let index = asked.places.iter().position(|other| other.is(place));
            index.map(|index| asked.places.swap_remove(index))
        };
        drop(before);
    }

    /// What it has already, if it was kept.
    pub(crate) fn take_known<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.get().state().known.take().map(|known| known.into_bound(slf.py()))
    }

    /// Where its value is to be kept, which is done now.
    pub(crate) fn take_places<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, PyAny>> {
        let places = std::mem::take(&mut slf.get().state().places);
        places.into_iter().map(|place| place.into_bound(slf.py())).collect()
    }

    /// Whether nothing that it has come to can refer back to it; see [`gc_tracking`].
    pub(crate) fn is_leaf(slf: &Bound<'_, Self>) -> bool {
        let py = slf.py();
        let has_leaves = {
            let asked = slf.get().state();
            asked.places.is_empty() && gc_tracking::is_leaf(asked.key.bind(py))
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
        let Some(asked) = self.0.try_take() else { return Ok(()) };
        visit.call(&asked.key)?;
        visit.call(&asked.known)?;
        asked.places.iter().try_for_each(|place| visit.call(place))
    }

    fn __clear__(&self) {
        let before = {
            let mut asked = self.state();
            (asked.known.take(), std::mem::take(&mut asked.places))
        };
        drop(before);
    }
}
