//! A decorated function as an attribute: bound to its instance or class.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::call::decorator::AsyncDecorator;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::imports;

/// A decorated function together with the instance it is called on, if there is one.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct DecoratorBinder(GilCell<Bindings>);

/// What a binder binds.
#[derive(Default)]
struct Bindings {
    decorator: Option<Py<PyAny>>,
    instance: Option<Py<PyAny>>,
}

impl DecoratorBinder {
    fn state(&self) -> CellGuard<'_, Bindings> {
        self.0.take()
    }

    fn target<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let py = slf.py();
        let binder = slf.get().state();
        binder.decorator.as_ref().map_or_else(|| py.None().into_bound(py), |d| d.bind(py).clone())
    }

    /// The arguments, after the instance.
    fn with_instance<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let instance =
            slf.get().state().instance.as_ref().map(|instance| instance.bind(py).clone());
        let Some(instance) = instance else { return Ok(args) };
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(instance);
        all.extend(args.iter());
        PyTuple::new(py, all)
    }
}

#[pymethods]
impl DecoratorBinder {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (decorator, instance=None))]
    fn __init__(slf: &Bound<'_, Self>, decorator: Py<PyAny>, instance: Option<Py<PyAny>>) {
        let mut binder = slf.get().state();
        let before =
            std::mem::replace(&mut *binder, Bindings { decorator: Some(decorator), instance });
        drop(binder);
        drop(before);
    }

    /// The decorator.
    #[getter]
    pub(crate) fn decorator<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::target(slf)
    }

    /// The instance, or for a `classmethod` the class; `None` if it was taken from the class.
    #[getter]
    pub(crate) fn instance(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().state().instance.as_ref().map(|instance| instance.clone_ref(slf.py()))
    }

    /// The name of the decorator.
    fn name<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::target(slf).call_method0(intern!(slf.py(), "name"))
    }

    /// Marks decorators, and functions bound by one.
    #[staticmethod]
    fn is_decorator() -> bool {
        true
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = Self::with_instance(slf, args)?;
        let decorator = Self::target(slf);
        match decorator.cast_exact::<AsyncDecorator>() {
            Ok(decorator) => AsyncDecorator::__call__(decorator, args, kwargs),
            Err(_) => decorator.call(args, kwargs.as_ref()),
        }
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let decorator = Self::target(slf);
        let instance = Self::instance(slf);
        Ok(match instance {
            None => format!("<{} unbound>", decorator.str()?),
            Some(instance) => {
                format!("<{} bound to {}>", decorator.str()?, instance.bind(slf.py()).str()?)
            }
        })
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        slf.str()
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !slf.get_type().is(other.get_type()) {
            return Ok(false);
        }
        let py = slf.py();
        let other = other.cast::<Self>()?;
        let instance = |binder| Self::instance(binder).unwrap_or_else(|| py.None()).into_bound(py);
        Ok(Self::target(slf).eq(Self::target(other))? && instance(slf).eq(instance(other))?)
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        let py = slf.py();
        let instance = Self::instance(slf).unwrap_or_else(|| py.None());
        Ok(Self::target(slf).hash()? ^ instance.bind(py).hash()?)
    }

    /// `Class[T]` is for type checkers.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        imports::generic(cls, item)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(bindings) = self.0.try_take() else { return Ok(()) };
        visit.call(&bindings.decorator)?;
        visit.call(&bindings.instance)
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *self.state());
        drop(before);
    }
}

/// What `@asynq(pure=True)` binds with.
#[pyclass(frozen, extends = DecoratorBinder, subclass, module = "asynq.decorators")]
pub(crate) struct PureAsyncDecoratorBinder;

#[pymethods]
impl PureAsyncDecoratorBinder {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(DecoratorBinder::default()).add_subclass(Self)
    }

    #[staticmethod]
    fn is_pure_async_fn() -> bool {
        true
    }
}

/// What `@asynq()` binds with.
#[pyclass(frozen, extends = DecoratorBinder, subclass, module = "asynq.decorators")]
pub(crate) struct AsyncDecoratorBinder;

impl AsyncDecoratorBinder {
    /// Binds without a call through Python.
    pub(crate) fn bind<'py>(
        decorator: &Bound<'py, PyAny>,
        instance: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let binder = DecoratorBinder(GilCell::new(Bindings {
            decorator: Some(decorator.clone().unbind()),
            instance: instance.map(Bound::unbind),
        }));
        Bound::new(decorator.py(), PyClassInitializer::from(binder).add_subclass(Self))
    }
}

#[pymethods]
impl AsyncDecoratorBinder {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(DecoratorBinder::default()).add_subclass(Self)
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

    /// Calls the function from asyncio: returns a coroutine.
    #[pyo3(signature = (*args, **kwargs))]
    fn asyncio<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let binder = slf.as_super();
        let args = DecoratorBinder::with_instance(binder, args)?;
        let decorator = DecoratorBinder::target(binder);
        decorator.call_method(intern!(slf.py(), "asyncio"), args, kwargs)
    }
}
