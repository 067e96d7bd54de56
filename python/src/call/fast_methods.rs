//! `fn.asynq(x)`: the call that a fan-out makes thousands of times.

use std::ffi::CStr;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::args::Args;
use crate::call::binder::{AsyncDecoratorBinder, DecoratorBinder};
use crate::call::decorator::{AsyncDecorator, PureAsyncDecorator};
use crate::ffi::fast_method::{self, FastMethod, Positional};

const DOC: &CStr = c"asynq($self, /, *args, **kwargs)\n--\n\n\
    Calls the function asynchronously: returns an `AsyncTask`, in asyncio mode a coroutine.";

/// Gives the classes their method `asynq`.
pub(crate) fn add_methods(py: Python<'_>) -> PyResult<()> {
    fast_method::add::<AsyncDecorator>(py)?;
    fast_method::add::<AsyncDecoratorBinder>(py)
}

impl FastMethod for AsyncDecorator {
    const NAME: &'static CStr = c"asynq";
    const DOC: &'static CStr = DOC;

    fn call<'py>(
        slf: &Bound<'py, Self>,
        args: Positional<'_, 'py>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        PureAsyncDecorator::dispatch(slf.as_super(), Args::new(None, args), kwargs)
    }
}

impl FastMethod for AsyncDecoratorBinder {
    const NAME: &'static CStr = c"asynq";
    const DOC: &'static CStr = DOC;

    fn call<'py>(
        slf: &Bound<'py, Self>,
        args: Positional<'_, 'py>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let binder = slf.as_super();
        let args = Args::new(DecoratorBinder::instance(binder), args);
        let decorator = DecoratorBinder::decorator(binder)?;
        if let Ok(decorator) = decorator.cast_exact::<AsyncDecorator>() {
            return PureAsyncDecorator::dispatch(decorator.as_super(), args, kwargs);
        }
        decorator.call_method(intern!(py, "asynq"), args.to_tuple(py)?, kwargs.as_ref())
    }
}
