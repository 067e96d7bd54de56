//! Futures that are computed from the beginning: `ConstFuture` and `ErrorFuture`.

use pyo3::PyClassInitializer;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::future::base::{FutureBase, Kind};
use crate::future::compute;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;

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
        resolve(slf.as_super(), Outcome::Value(value.unbind()))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        let value = compute::value(slf.as_super())?;
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
        resolve(slf.as_super(), Outcome::from_exception(error)?)
    }
}
