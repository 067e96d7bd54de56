//! The decorator behind `@asynq(pure=True)`, which the one of `@asynq()` extends.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyClassInitializer, PyTraverseError, PyTypeInfo, PyVisit, intern};

use crate::asyncio_mode::{is_entered, may_be_entered};
use crate::call::args::Args;
use crate::call::binder::PureAsyncDecoratorBinder;
use crate::call::decorator_base::DecoratorBase;
use crate::event_loop::call_methods::asyncio_call;
use crate::event_loop::foreign::Foreign;
use crate::event_loop::per_loop;
use crate::ffi::arguments::Arguments;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::imports;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::recursion::guarded;
use crate::scheduler::registry::origin;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Origin};
use crate::task::body::Body;

/// The decorator of `@asynq(pure=True)`: calling the function returns an `AsyncTask`.
#[pyclass(frozen, extends = DecoratorBase, subclass, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct PureAsyncDecorator(GilCell<Options>);

has_state!(PureAsyncDecorator: Options);

/// State of a [`PureAsyncDecorator`]: the way in which its function is called.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "they do not depend on each other")]
pub(crate) struct Options {
    task_cls: Option<Py<PyAny>>,
    kwargs: Option<Py<PyDict>>,
    asyncio_fn: Option<Py<PyAny>>,
    pub(super) needs_wrapper: bool,
    pub(super) allow_sync_call: bool,
    /// True if the function lives as long as its module: the garbage collector need not visit it.
    is_global: bool,
    /// True if a call certainly makes a plain task: see [`makes_plain_tasks`](Self::makes_plain_tasks).
    pub(super) is_plain: bool,
}

impl Drop for Options {
    fn drop(&mut self) {
        defer_drop(self.task_cls.take());
        defer_drop(self.kwargs.take());
        defer_drop(self.asyncio_fn.take());
    }
}

impl Options {
    /// Returns whether a call creates a plain `AsyncTask`, without further arguments.
    pub(super) fn makes_plain_tasks(&self, py: Python<'_>) -> bool {
        self.task_cls.as_ref().is_none_or(|class| class.is(AsyncTask::type_object(py)))
            && self.kwargs.as_ref().is_none_or(|kwargs| kwargs.bind(py).is_empty())
    }
}

impl PureAsyncDecorator {
    pub(super) fn init<'py>(
        slf: &Bound<'py, Self>,
        decorated: &Bound<'py, PyAny>,
        task_cls: Option<Bound<'py, PyAny>>,
        kwargs: Option<Bound<'py, PyDict>>,
        asyncio_fn: Option<Bound<'py, PyAny>>,
        allow_sync_call: bool,
    ) -> PyResult<()> {
        DecoratorBase::init(slf.as_super(), decorated)?;
        let function = DecoratorBase::function(slf.as_super())?;
        let py = slf.py();
        let is_generator = imports::makes_generator(py)?.call1((&function,))?.is_truthy()?;
        let is_global = is_global(&function);
        let mut options = Options {
            task_cls: task_cls.map(Bound::unbind),
            kwargs: kwargs.map(Bound::unbind),
            asyncio_fn: asyncio_fn.map(Bound::unbind),
            needs_wrapper: is_generator,
            allow_sync_call,
            is_global,
            is_plain: false,
        };
        options.is_plain = options.makes_plain_tasks(py);
        let before = std::mem::replace(&mut *slf.state(), options);
        drop(before);
        Ok(())
    }

    /// Makes the task of one call.
    fn make_task<'py>(
        slf: &Bound<'py, Self>,
        args: Args,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let function = DecoratorBase::function(slf.as_super())?;
        let origin = origin(py)?;
        if origin.creator.is_none() {
            // Otherwise this thread has a scheduler, and so is protected.
            thread_exit::protect();
        }
        let (is_generator, is_plain, is_global) = {
            let options = slf.state();
            (options.needs_wrapper, options.makes_plain_tasks(py), options.is_global)
        };
        if is_plain {
            let body = if is_generator {
                Body::of_generator(args.call(&function, kwargs.as_ref())?)
            } else {
                Body::Call
            };
            return plain_task(py, body, function, args, kwargs, origin, is_global);
        }
        let args = args.to_tuple(py)?;
        let kwargs = kwargs.unwrap_or_else(|| PyDict::new(py));
        let generator = if is_generator {
            function.call(&args, Some(&kwargs))?
        } else {
            imports::run_plain_function(py)?.call1((&function, &args, &kwargs))?
        };
        let task_cls = Self::task_cls(slf).unwrap_or_else(|| py.None());
        // A decorator may be its own class of tasks.
        guarded(|| {
            let args = (generator, function, args, kwargs);
            task_cls.bind(py).call(args, Some(&Self::kwargs(slf)))
        })
    }

    /// Makes the task of a call of an object of this class that needs nothing but that. Returns `None`
    /// if it needs more: then nothing has happened.
    #[inline]
    pub(super) fn make_task_at_once<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<&Bound<'py, PyAny>>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = slf.py();
        let is_in_task_of_loop =
            || per_loop::are_used() && Scheduler::current().is_in_task_of_loop();
        let is_usual =
            !may_be_entered() && Switches::on().none_but_record() && !is_in_task_of_loop();
        if !is_usual || args.has_keywords() {
            return None;
        }
        let (is_generator, is_global) = {
            let options = slf.state();
            if !options.is_plain {
                return None;
            }
            (options.needs_wrapper, options.is_global)
        };
        let function = DecoratorBase::known_function(slf.as_super())?;
        let make = || {
            let origin = origin(py)?;
            if origin.creator.is_none() {
                thread_exit::protect();
            }
            let all = Args::new(instance.cloned(), args.positional());
            let body = match (is_generator, instance) {
                (false, _) => Body::Call,
                (true, None) => Body::of_generator(args.call(&function)?),
                (true, Some(_)) => Body::of_generator(all.call(&function, None)?),
            };
            plain_task(py, body, function, all, None, origin, is_global)
        };
        Some(make())
    }

    /// A call, in the way of the decorator's class.
    pub(super) fn dispatch<'py>(
        slf: &Bound<'py, Self>,
        args: Args,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let name = intern!(py, "_call_pure");
        if overrides::<Self>(slf.as_any(), name) {
            thread_exit::protect();
            let kwargs = kwargs.unwrap_or_else(|| PyDict::new(py));
            return slf.call_method1(name, (args.to_tuple(py)?, kwargs));
        }
        if is_entered(py)? {
            thread_exit::protect();
            return call_asyncio(slf, args.to_tuple(py)?, kwargs.as_ref());
        }
        Self::make_future(slf, args, kwargs)
    }

    /// Returns whether something else runs instead of the function on event loops.
    fn has_asyncio_fn(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let is_known = slf.state().asyncio_fn.is_some();
        Ok(is_known || is_replaced(slf.as_any(), intern!(slf.py(), "asyncio"))?)
    }

    /// Makes the future of one call: a task, or on an event loop what its `asyncio_fn` does.
    fn make_future<'py>(
        slf: &Bound<'py, Self>,
        args: Args,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if per_loop::are_used()
            && Scheduler::current().is_in_task_of_loop()
            && Self::has_asyncio_fn(slf)?
        {
            let coroutine = call_asyncio(slf, args.to_tuple(slf.py())?, kwargs.as_ref())?;
            return Foreign::start(&coroutine).map(Bound::into_any);
        }
        Self::make_task(slf, args, kwargs)
    }
}

/// Makes a plain task of a call.
#[inline]
fn plain_task<'py>(
    py: Python<'py>,
    body: Body,
    function: Bound<'py, PyAny>,
    args: Args,
    kwargs: Option<Bound<'py, PyDict>>,
    origin: Origin<'py>,
    is_global: bool,
) -> PyResult<Bound<'py, PyAny>> {
    // Outside of any call, a module may keep the task in a global for ever.
    let is_leaf = is_global && origin.creator.is_some() && kwargs.is_none() && args.are_leaves(py);
    AsyncTask::create(py, body, function, args, kwargs, origin, is_leaf).map(Bound::into_any)
}

/// Returns whether an object has an attribute in place of the method of its class.
fn is_replaced(decorator: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    match decorator.getattr(intern!(decorator.py(), "__dict__")) {
        Ok(attributes) => attributes.contains(name),
        Err(_) => Ok(true),
    }
}

/// Calls `decorator.asyncio(...)`, without the coroutine that a bound method would put around it.
pub(super) fn call_asyncio<'py>(
    decorator: &Bound<'py, PyAny>,
    args: Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = decorator.py();
    let name = intern!(py, "asyncio");
    if is_replaced(decorator, name)? {
        return decorator.call_method(name, args, kwargs);
    }
    let mut all = vec![decorator.clone()];
    all.extend(args.iter());
    decorator.get_type().getattr(name)?.call(PyTuple::new(py, all)?, kwargs)
}

#[pymethods]
impl PureAsyncDecorator {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(DecoratorBase::default()).add_subclass(Self::default())
    }

    #[pyo3(signature = (r#fn, task_cls, kwargs=None, asyncio_fn=None, allow_sync_call=false))]
    fn __init__<'py>(
        slf: &Bound<'py, Self>,
        r#fn: &Bound<'py, PyAny>,
        task_cls: Option<Bound<'py, PyAny>>,
        kwargs: Option<Bound<'py, PyDict>>,
        asyncio_fn: Option<Bound<'py, PyAny>>,
        allow_sync_call: bool,
    ) -> PyResult<()> {
        Self::init(slf, r#fn, task_cls, kwargs, asyncio_fn, allow_sync_call)
    }

    #[classattr]
    fn binder_cls(py: Python<'_>) -> Bound<'_, PyType> {
        PureAsyncDecoratorBinder::type_object(py)
    }

    /// The class of the tasks.
    #[getter]
    fn task_cls(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().task_cls.as_ref().map(|class| class.clone_ref(slf.py()))
    }

    #[setter]
    fn set_task_cls(slf: &Bound<'_, Self>, class: Option<Py<PyAny>>) {
        let before = {
            let mut options = slf.state();
            options.is_plain = false;
            std::mem::replace(&mut options.task_cls, class)
        };
        defer_drop(before);
    }

    /// The function that `asyncio` calls.
    #[getter]
    fn asyncio_fn(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().asyncio_fn.as_ref().map(|function| function.clone_ref(slf.py()))
    }

    #[setter]
    fn set_asyncio_fn(slf: &Bound<'_, Self>, function: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.state().asyncio_fn, function);
        defer_drop(before);
    }

    /// True if a call of the function returns a generator or coroutine.
    #[getter]
    fn needs_wrapper(slf: &Bound<'_, Self>) -> bool {
        slf.state().needs_wrapper
    }

    #[setter]
    fn set_needs_wrapper(slf: &Bound<'_, Self>, value: bool) {
        slf.state().needs_wrapper = value;
    }

    /// True if synchronous calls may block an event loop: nobody is warned.
    #[getter]
    fn allow_sync_call(slf: &Bound<'_, Self>) -> bool {
        slf.state().allow_sync_call
    }

    #[setter]
    fn set_allow_sync_call(slf: &Bound<'_, Self>, value: bool) {
        slf.state().allow_sync_call = value;
    }

    /// Further keyword arguments for the class of the tasks.
    #[getter]
    fn kwargs<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        let empty = PyDict::new(slf.py()).unbind();
        let mut options = slf.state();
        options.is_plain = false; // The caller may change the dict.
        options.kwargs.get_or_insert(empty).bind(slf.py()).clone()
    }

    #[setter]
    fn set_kwargs(slf: &Bound<'_, Self>, kwargs: Py<PyDict>) {
        let before = {
            let mut options = slf.state();
            options.is_plain = false;
            options.kwargs.replace(kwargs)
        };
        defer_drop(before);
    }

    #[staticmethod]
    fn name() -> &'static str {
        "@asynq(pure=True)"
    }

    #[staticmethod]
    fn is_pure_async_fn() -> bool {
        true
    }

    /// Calls the function from asyncio: returns an `AsyncioCall`.
    #[pyo3(signature = (*args, **kwargs))]
    fn asyncio<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let asyncio_fn = slf.state().asyncio_fn.as_ref().map(|known| known.bind(py).clone());
        if let Some(asyncio_fn) = asyncio_fn {
            return asyncio_fn.call(args, kwargs.as_ref());
        }
        asyncio_call(Self::make_task(slf, args.into(), kwargs)?)
    }

    fn _call_pure<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyAny>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let args = match args.cast::<PyTuple>() {
            Ok(args) => args.clone(),
            Err(_) => PyTuple::new(py, args.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
        };
        if is_entered(py)? {
            return call_asyncio(slf, args, kwargs.as_ref());
        }
        Self::make_future(slf, args.into(), kwargs)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::dispatch(slf, args.into(), kwargs)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(options) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&options.task_cls)?;
        visit.call(&options.kwargs)?;
        visit.call(&options.asyncio_fn)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

/// Returns whether a function was defined in a module, or in a class of one, and not in a function.
fn is_global(function: &Bound<'_, PyAny>) -> bool {
    let py = function.py();
    let closure = function.getattr(intern!(py, "__closure__"));
    let qualname = function.getattr(intern!(py, "__qualname__"));
    closure.is_ok_and(|closure| closure.is_none())
        && qualname
            .and_then(|qualname| qualname.extract::<String>())
            .is_ok_and(|qualname| !qualname.contains("<locals>"))
}
