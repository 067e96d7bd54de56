//! Futures that know their value, or how to get it: `ConstFuture`, `ErrorFuture`, `Future`.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::ffi::gil_cell::GilCell;
use crate::future::base::{FutureBase, Kind, settle};
use crate::future::outcome::Outcome;

/// A future whose value is known already.
///
/// >>> ConstFuture(42).value()
/// 42
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.futures")]
pub(crate) struct ConstFuture;

#[pymethods]
impl ConstFuture {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Constant)).add_subclass(Self)
    }

    fn __init__(slf: &Bound<'_, Self>, value: Bound<'_, PyAny>) -> PyResult<()> {
        FutureBase::set_value(slf.cast::<FutureBase>()?, value)
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        let value = FutureBase::value(slf.cast::<FutureBase>()?)?;
        Ok((slf.get_type().into_any(), (value,)))
    }
}

/// A future whose error is known already: an exception, raised where the value is asked for.
///
/// >>> ErrorFuture(KeyError("x")).error()
/// KeyError('x')
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.futures")]
pub(crate) struct ErrorFuture;

#[pymethods]
impl ErrorFuture {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Constant)).add_subclass(Self)
    }

    fn __init__(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        FutureBase::set_error(slf.cast::<FutureBase>()?, error)
    }
}

/// A future that calls `value_provider()` for its value, when it is first wanted.
///
/// >>> Future(lambda: 42).value()
/// 42
#[pyclass(frozen, extends = FutureBase, subclass, module = "asynq.futures")]
pub(crate) struct Future(GilCell<Option<Py<PyAny>>>);

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
                value_provider.get_type()
            )));
        }
        Self::set_value_provider(slf, Some(value_provider.unbind()));
        Ok(())
    }

    #[getter(_value_provider)]
    fn value_provider(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().0.take().as_ref().map(|provider| provider.clone_ref(slf.py()))
    }

    #[setter(_value_provider)]
    fn set_value_provider(slf: &Bound<'_, Self>, provider: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *slf.get().0.take(), provider);
        drop(before);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_take() {
            Some(provider) => visit.call(&*provider),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = self.0.take().take();
        drop(before);
    }
}

/// Computes a `Future`: its error is remembered, and raised.
pub(crate) fn compute_lazily(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let provider = Future::value_provider(future.cast::<Future>()?);
    let provider = provider.ok_or_else(|| {
        PyTypeError::new_err("a subclass of Future has to call super().__init__(value_provider)")
    })?;
    match provider.call0(py) {
        Ok(value) => settle(future, Outcome::Value(value)),
        Err(error) => {
            if error.is_instance_of::<PyException>(py) {
                settle(future, Outcome::from_err(py, &error))?;
            }
            Err(error)
        }
    }
}
