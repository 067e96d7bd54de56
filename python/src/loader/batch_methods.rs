//! `LoaderBatch` as Python sees it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::batch::base::BatchBase;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::future::base::{FutureBase, Kind};
use crate::loader::base::LoaderBase;
use crate::loader::ends;
use crate::loader::nodes::{Keys, LoaderBatch, LoaderHost};
use crate::loader::send;
use crate::scheduler::inbox::Flight;

#[pymethods]
impl LoaderBatch {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Batch))
            .add_subclass(BatchBase::blank(py))
            .add_subclass(Self(GilCell::new(Keys::new(ends::end_load))))
    }

    fn __init__(
        slf: &Bound<'_, Self>,
        loader: &Bound<'_, PyAny>,
        host: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if slf.state().host.is_some() {
            return Err(PyRuntimeError::new_err(
                "this batch is initialized already: make a new one instead",
            ));
        }
        let loader = loader.cast::<LoaderBase>()?.clone().unbind();
        let host = host.cast::<LoaderHost>()?.clone().unbind();
        let mut keys = slf.state();
        keys.loader = Some(loader.into_any());
        keys.host = Some(host);
        Ok(())
    }

    /// Loader of its keys.
    #[getter(loader)]
    fn py_loader<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, LoaderBase>> {
        send::loader_of(slf)
    }

    /// Loads of the loader in this thread, greenlet or event loop.
    #[getter(host)]
    fn py_host<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, LoaderHost>> {
        Self::host(slf)
    }

    /// Returns whether its flush has ended, and its values come later.
    #[getter]
    fn is_in_flight(slf: &Bound<'_, Self>) -> bool {
        BatchBase::is_in_flight(slf.as_super())
    }

    /// Flights of its requests.
    #[getter(flights)]
    fn py_flights(slf: &Bound<'_, Self>) -> Vec<Py<Flight>> {
        Self::flights(slf)
    }

    /// Requests that have, or may have, its keys.
    #[getter]
    fn requests<'py>(slf: &Bound<'py, Self>) -> Vec<Bound<'py, PyAny>> {
        let parts = Self::parts(slf);
        let Some(host) = Self::host(slf) else { return Vec::new() };
        parts.into_iter().filter_map(|part| LoaderHost::request_of(&host, part)).collect()
    }

    fn _try_switch_active_batch(slf: &Bound<'_, Self>) {
        if let Some(host) = Self::host(slf) {
            let number = slf.state().number;
            let is_open = host.state().is_open(number);
            if is_open && !BatchBase::is_flushed(slf.as_super()) {
                LoaderHost::close(&host, slf);
            }
        }
    }

    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        send::flush(slf)
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let count = BatchBase::items(slf.as_super()).len();
        let Some(loader) = send::loader_of(slf) else {
            return Ok(format!("loader ({count} keys)"));
        };
        let name = loader.getattr(intern!(slf.py(), "name"))?;
        Ok(format!("loader {name} ({count} keys)"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(keys) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&keys.loader)?;
        visit.call(&keys.host)?;
        keys.loads.iter().flatten().try_for_each(|(_, load)| visit.call(load))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut keys = slf.state();
            keys.withdraw_all(slf.py());
            (keys.loader.take(), keys.host.take(), std::mem::take(&mut keys.loads))
        };
        drop(before);
    }
}
