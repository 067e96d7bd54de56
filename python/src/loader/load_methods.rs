//! `Load` as Python sees it.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::gil_cell::TakeState;
use crate::loader::load::Load;
use crate::loader::nodes::{LoaderBatch, LoaderHost};

#[pymethods]
impl Load {
    /// Key that the loader was asked for.
    #[getter(key)]
    fn py_key<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::key(slf)
    }

    /// Value that stands for the key in caches and answers.
    #[getter(_cache_key)]
    fn py_cache_key<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::cache_key(slf)
    }

    /// Request that has its key, once it was sent.
    #[getter]
    fn request<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        let py = slf.py();
        let batch = slf.as_super().state().batch.as_ref().map(|batch| batch.bind(py).clone())?;
        let host = LoaderBatch::host(&batch.cast_into::<LoaderBatch>().ok()?)?;
        let slot = slf.state().slot;
        let part = host.state().machine.part_of(slot)?;
        LoaderHost::request_of(&host, part)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.key)?;
        visit.call(&state.cache_key)?;
        visit.call(&state.cached_value)?;
        state.caches.iter().try_for_each(|cache| visit.call(cache))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut state = slf.state();
            let caches = std::mem::take(&mut state.caches);
            (state.cached_value.take(), caches)
        };
        drop(before);
    }
}
