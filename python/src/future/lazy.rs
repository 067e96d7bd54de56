//! `Future`: a future that calls a function for its value.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;

/// A future that calls `value_provider()` for its value, when it is first wanted.
///
/// >>> Future(lambda: 42).value()
/// 42
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.futures")]
pub(crate) struct Future(GilCell<Option<Py<PyAny>>>);

has_state!(Future: Option<Py<PyAny>>);

impl Drop for Future {
    fn drop(&mut self) {
        defer_drop(self.0.get_mut().take());
    }
}

#[pymethods]
impl Future {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Lazy)).add_subclass(Self(GilCell::new(None)))
    }

    fn __init__(slf: &Bound<'_, Self>, value_provider: Bound<'_, PyAny>) -> PyResult<()> {
        if !value_provider.is_callable() {
            return Err(PyTypeError::new_err(format!(
                "Future() takes something to call for its value, not {}; a known value is a \
                 ConstFuture",
                imports::type_name(&value_provider)
            )));
        }
        Self::set_value_provider(slf, Some(value_provider.unbind()));
        Ok(())
    }

    #[getter(_value_provider)]
    fn value_provider(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().as_ref().map(|provider| provider.clone_ref(slf.py()))
    }

    #[setter(_value_provider)]
    fn set_value_provider(slf: &Bound<'_, Self>, provider: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *slf.state(), provider);
        drop(before);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.take_in_traverse(&visit) {
            Some(provider) => visit.call(&*provider),
            None => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().take();
        defer_drop(before);
    }
}

/// Computes a `Future`: its error is remembered, and raised.
pub(crate) fn call_provider(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let provider = Future::value_provider(future.cast::<Future>()?);
    let provider = provider.ok_or_else(|| {
        PyTypeError::new_err("a subclass of Future has to call super().__init__(value_provider)")
    })?;
    match provider.call0(py) {
        Ok(value) => resolve(future, Outcome::Value(value)),
        Err(error) => {
            if error.is_instance_of::<PyException>(py) && FutureBase::is_pending(future) {
                resolve(future, Outcome::from_err(py, &error))?;
            }
            Err(error)
        }
    }
}
