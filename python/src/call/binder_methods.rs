//! The binders as Python sees them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::call::binder::{
    AsyncDecoratorBinder, Bindings, DecoratorBinder, PureAsyncDecoratorBinder,
};
use crate::call::decorator::AsyncDecorator;
use crate::call::decorator_base::DecoratorBase;
use crate::call::pure_decorator::call_asyncio;
use crate::ffi::arguments::Arguments;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::vectorcall::{Callable, Entry};
use crate::imports;
use crate::recursion::guarded;

#[pymethods]
impl DecoratorBinder {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (decorator, instance=None))]
    fn __init__(slf: &Bound<'_, Self>, decorator: Py<PyAny>, instance: Option<Py<PyAny>>) {
        let mut binder = slf.state();
        let before =
            std::mem::replace(&mut *binder, Bindings { decorator: Some(decorator), instance });
        drop(binder);
        drop(before);
    }

    /// Decorator that made this.
    #[getter(decorator)]
    fn py_decorator<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        decorator_or_none(slf)
    }

    /// Instance, or for a `classmethod` the class; `None` if it was taken from the class.
    #[getter(instance)]
    fn py_instance<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        Self::instance(slf)
    }

    /// The name of the decorator.
    fn name<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| Self::decorator(slf)?.call_method0(intern!(slf.py(), "name")))
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
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = Self::with_instance(slf, args)?;
        Self::decorator(slf)?.call(args, kwargs)
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let decorator = decorator_or_none(slf);
        let instance = Self::instance(slf);
        // A binder may bind itself, here and below.
        guarded(|| {
            Ok(match instance {
                None => format!("<{} unbound>", decorator.str()?),
                Some(instance) => format!("<{} bound to {}>", decorator.str()?, instance.str()?),
            })
        })
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        slf.str()
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !slf.get_type().is(other.get_type()) {
            return Ok(false);
        }
        let py = slf.py();
        let other = other.cast::<Self>()?;
        let instance = |binder| Self::instance(binder).unwrap_or_else(|| py.None().into_bound(py));
        guarded(|| {
            Ok(decorator_or_none(slf).eq(decorator_or_none(other))?
                && instance(slf).eq(instance(other))?)
        })
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        let py = slf.py();
        let instance = Self::instance(slf).unwrap_or_else(|| py.None().into_bound(py));
        guarded(|| Ok(decorator_or_none(slf).hash()? ^ instance.hash()?))
    }

    /// Name of the function.
    #[getter(__name__)]
    fn function_name<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::decorator(slf)?.getattr(intern!(slf.py(), "__name__"))
    }

    /// Qualified name of the function.
    #[getter(__qualname__)]
    fn qualname<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::decorator(slf)?.getattr(intern!(slf.py(), "__qualname__"))
    }

    /// Annotations of the function.
    #[getter(__annotations__)]
    fn annotations<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::annotations(slf.py())?.call1((slf,))
    }

    /// Functions behind the bound call forms, by call form. Those of methods take the instance first, so they are apart.
    #[getter(_call_forms)]
    fn call_forms<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = slf.py();
        let decorator = Self::decorator(slf)?;
        let Ok(decorator) = decorator.cast::<DecoratorBase>() else { return Ok(None) };
        let forms = DecoratorBase::call_forms(decorator);
        if Self::instance(slf).is_none() {
            return Ok(Some(forms));
        }
        let key = intern!(py, "of methods");
        if let Some(of_methods) = forms.get_item(key)? {
            return Ok(of_methods.cast_into().ok());
        }
        let of_methods = PyDict::new(py);
        forms.set_item(key, &of_methods)?;
        Ok(Some(of_methods))
    }

    /// Pickled like a method: as its decorator and its instance.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let parts = (Self::decorator(slf)?, Self::instance(slf));
        (imports::bind_decorated(py)?, parts).into_pyobject(py)
    }

    /// A binder in the body of a class stays what it is.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        _owner: Option<&Bound<'py, PyAny>>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> Bound<'py, Self> {
        slf.clone()
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
        let Some(bindings) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&bindings.decorator)?;
        visit.call(&bindings.instance)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}

/// Returns the decorator, or `None` where a missing one is no error.
fn decorator_or_none<'py>(slf: &Bound<'py, DecoratorBinder>) -> Bound<'py, PyAny> {
    let py = slf.py();
    let binder = slf.state();
    binder.decorator.as_ref().map_or_else(|| py.None().into_bound(py), |d| d.bind(py).clone())
}

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

#[pymethods]
impl AsyncDecoratorBinder {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(DecoratorBinder::default()).add_subclass(Self::default())
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

    /// Calls the function from asyncio: returns an `AsyncioCall`.
    #[pyo3(signature = (*args, **kwargs))]
    fn asyncio<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let binder = slf.as_super();
        let args = DecoratorBinder::with_instance(binder, args)?;
        let decorator = DecoratorBinder::decorator(binder)?;
        call_asyncio(&decorator, args, kwargs)
    }
}

impl Callable for AsyncDecoratorBinder {
    fn call<'py>(slf: &Bound<'py, Self>, args: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let binder = slf.as_super();
        let decorator = DecoratorBinder::decorator(binder)?;
        let call = |args: Arguments<'_, 'py>| match decorator.cast_exact::<AsyncDecorator>() {
            Ok(decorator) => <AsyncDecorator as Callable>::call(decorator, args),
            Err(_) => args.call(&decorator),
        };
        match DecoratorBinder::instance(binder) {
            Some(instance) => args.after(&instance, call),
            None => call(args),
        }
    }

    #[inline]
    fn call_at_once<'py>(
        slf: &Bound<'py, Self>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let binder = slf.as_super();
        let decorator = DecoratorBinder::decorator(binder).ok()?;
        let decorator = decorator.cast_exact::<AsyncDecorator>().ok()?;
        let call = |args: Arguments<'_, 'py>| AsyncDecorator::call_at_once(decorator, args);
        match DecoratorBinder::instance(binder) {
            Some(instance) => args.after(&instance, call),
            None => call(args),
        }
    }

    fn entry(&self) -> &Entry<Self> {
        &self.0
    }
}
