//! `fn.asynq(x)`: the call that a fan-out makes thousands of times.

use std::ffi::CStr;

use pyo3::intern;
use pyo3::prelude::*;

use crate::call::args::Args;
use crate::call::binder::{AsyncDecoratorBinder, DecoratorBinder};
use crate::call::decorator::AsyncDecorator;
use crate::call::pure_decorator::PureAsyncDecorator;
use crate::ffi::arguments::Arguments;
use crate::ffi::fast_method::FastMethod;

const DOC: &CStr = c"asynq($self, /, *args, **kwargs)\n--\n\n\
    Calls the function asynchronously: returns an `AsyncTask`.";

impl FastMethod for AsyncDecorator {
    type Class = Self;

    const NAME: &'static CStr = c"asynq";
    const DOC: &'static CStr = DOC;

    fn call<'py>(slf: &Bound<'py, Self>, args: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = args.keywords()?;
        PureAsyncDecorator::dispatch(slf.as_super(), Args::new(None, args.positional()), kwargs)
    }

    #[inline]
    fn call_at_once<'py>(
        slf: &Bound<'py, Self>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        if !slf.is_exact_instance_of::<Self>() {
            return None;
        }
        PureAsyncDecorator::make_task_at_once(slf.as_super(), None, args)
    }
}

impl FastMethod for AsyncDecoratorBinder {
    type Class = Self;

    const NAME: &'static CStr = c"asynq";
    const DOC: &'static CStr = DOC;

    fn call<'py>(slf: &Bound<'py, Self>, args: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let binder = slf.as_super();
        let kwargs = args.keywords()?;
        let args = Args::new(DecoratorBinder::instance(binder), args.positional());
        let decorator = DecoratorBinder::decorator(binder)?;
        if let Ok(decorator) = decorator.cast_exact::<AsyncDecorator>() {
            return PureAsyncDecorator::dispatch(decorator.as_super(), args, kwargs);
        }
        decorator.call_method(intern!(py, "asynq"), args.to_tuple(py)?, kwargs.as_ref())
    }

    #[inline]
    fn call_at_once<'py>(
        slf: &Bound<'py, Self>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let binder = slf.as_super();
        let decorator = DecoratorBinder::decorator(binder).ok()?;
        let decorator = decorator.cast_exact::<AsyncDecorator>().ok()?;
        let instance = DecoratorBinder::instance(binder);
        PureAsyncDecorator::make_task_at_once(decorator.as_super(), instance.as_ref(), args)
    }
}
