//! The decorator behind `@asynq()`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyClassInitializer, PyTypeInfo, intern};

use crate::asyncio_mode::{is_entered, may_be_entered};
use crate::call::args::Args;
use crate::call::binder::AsyncDecoratorBinder;
use crate::call::decorator_base::DecoratorBase;
use crate::call::pure_decorator::PureAsyncDecorator;
use crate::call::sync;
use crate::ffi::arguments::Arguments;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::ffi::vectorcall::{self, Callable, Entry};
use crate::future::base::FutureBase;
use crate::imports;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::scheduler::blocking_call::Allowed;
use crate::task::async_task::AsyncTask;

/// The decorator of `@asynq()`: calling the function runs it, `asynq(...)` returns an `AsyncTask`.
#[pyclass(frozen, extends = PureAsyncDecorator, subclass, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct AsyncDecorator(Entry<Self>);

impl AsyncDecorator {
    /// Prepares the class, before it has objects and subclasses.
    pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
        vectorcall::install(&Bound::new(py, Self::blank())?)
    }

    fn blank() -> PyClassInitializer<Self> {
        PyClassInitializer::from(DecoratorBase::default())
            .add_subclass(PureAsyncDecorator::default())
            .add_subclass(Self::default())
    }

    /// The function, and whether it makes a generator, if a synchronous call needs nothing but that:
    /// no other class of decorator or task, and nobody watches.
    fn directly<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<(Bound<'py, PyAny>, bool)>> {
        let py = slf.py();
        let is_ours = slf.is_exact_instance_of::<Self>()
            || !overrides::<PureAsyncDecorator>(slf.as_any(), intern!(py, "_call_pure"));
        if !is_ours || !Switches::on().none_but_record() {
            return Ok(None);
        }
        let is_generator = {
            let options = slf.as_super().state();
            if !options.is_plain && !options.makes_plain_tasks(py) {
                return Ok(None);
            }
            options.needs_wrapper
        };
        Ok(Some((DecoratorBase::function(slf.as_super().as_super())?, is_generator)))
    }
}

#[pymethods]
impl AsyncDecorator {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        Self::blank()
    }

    #[pyo3(signature = (r#fn, cls, kwargs=None, asyncio_fn=None, allow_sync_call=false))]
    fn __init__<'py>(
        slf: &Bound<'py, Self>,
        r#fn: &Bound<'py, PyAny>,
        cls: Option<Bound<'py, PyAny>>,
        kwargs: Option<Bound<'py, PyDict>>,
        asyncio_fn: Option<Bound<'py, PyAny>>,
        allow_sync_call: bool,
    ) -> PyResult<()> {
        PureAsyncDecorator::init(slf.as_super(), r#fn, cls, kwargs, asyncio_fn, allow_sync_call)
    }

    #[classattr]
    fn binder_cls(py: Python<'_>) -> Bound<'_, PyType> {
        AsyncDecoratorBinder::type_object(py)
    }

    #[staticmethod]
    fn name() -> &'static str {
        "@asynq()"
    }

    #[staticmethod]
    fn is_pure_async_fn() -> bool {
        false
    }

    /// The same as `asynq`, by the name it had before that was a keyword.
    #[pyo3(name = "async", signature = (*args, **kwargs))]
    fn alias<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method(intern!(slf.py(), "asynq"), args, kwargs)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Arguments::with(args, kwargs, |args| Self::call(slf, args))
    }
}

impl Callable for AsyncDecorator {
    fn call<'py>(slf: &Bound<'py, Self>, args: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if is_entered(py)? {
            thread_exit::protect();
            let kwargs = args.keywords()?.unwrap_or_else(|| PyDict::new(py));
            let args = Args::new(None, args.positional()).to_tuple(py)?;
            return imports::call_in_asyncio_mode(py)?.call1((slf, args, kwargs));
        }
        let may_block = slf.as_super().state().allow_sync_call;
        let _allowed = may_block.then(Allowed::begin);
        if let Some((function, is_generator)) = Self::directly(slf)? {
            return sync::run(&function, args, is_generator);
        }
        thread_exit::protect();
        let (args, kwargs) = (Args::new(None, args.positional()), args.keywords()?);
        let future = PureAsyncDecorator::dispatch(slf.as_super(), args, kwargs)?;
        let value = intern!(py, "value");
        if !future.is_instance_of::<FutureBase>() && !future.hasattr(value)? {
            return Err(no_future(slf, &future)?);
        }
        if let Ok(task) = future.cast::<AsyncTask>()
            && task.header().steps.get() == 0
        {
            task.state().rare().runs_in_place = true;
        }
        future.call_method0(value)
    }

    #[inline]
    fn call_at_once<'py>(
        slf: &Bound<'py, Self>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        if may_be_entered()
            || !Switches::on().none_but_record()
            || !slf.is_exact_instance_of::<Self>()
        {
            return None;
        }
        let is_generator = {
            let options = slf.as_super().state();
            if !options.is_plain || options.allow_sync_call {
                return None;
            }
            options.needs_wrapper
        };
        if cfg!(not(Py_3_10)) && is_generator {
            return None; // Its end is an exception.
        }
        let function = DecoratorBase::known_function(slf.as_super().as_super())?;
        Some(sync::run(&function, args, is_generator))
    }

    fn entry(&self) -> &Entry<Self> {
        &self.0
    }
}

/// Makes the error of a proxy that has returned no future.
#[cold]
fn no_future(proxy: &Bound<'_, AsyncDecorator>, returned: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let name = match proxy.getattr(intern!(proxy.py(), "__qualname__")) {
        Ok(name) => name.to_string(),
        Err(_) => imports::type_name(proxy.as_any()),
    };
    Ok(PyTypeError::new_err(format!(
        "{name} must return a future, got {}: return a task (`fn.asynq(...)`) or a ConstFuture, or \
         use @asynq() instead of @async_proxy()",
        returned.repr()?
    )))
}
