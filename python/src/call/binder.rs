//! Binders: decorated functions as attributes, bound to an instance or class.

use pyo3::PyClassInitializer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::vectorcall::{self, Entry};
use crate::imports;

/// A decorated function together with the instance it is called on, if there is one.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct DecoratorBinder(pub(crate) GilCell<Bindings>);

has_state!(DecoratorBinder: Bindings);

/// State of a [`DecoratorBinder`].
#[derive(Default)]
pub(crate) struct Bindings {
    pub(crate) decorator: Option<Py<PyAny>>,
    pub(crate) instance: Option<Py<PyAny>>,
}

impl Drop for Bindings {
    fn drop(&mut self) {
        defer_drop(self.decorator.take());
        defer_drop(self.instance.take());
    }
}

impl DecoratorBinder {
    /// Returns the decorator, which is missing if `__init__` was not called.
    pub(crate) fn decorator<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let decorator = slf.state().decorator.as_ref().map(|d| d.bind(slf.py()).clone());
        decorator.ok_or_else(|| {
            PyTypeError::new_err(format!(
                "{} binds nothing: its class has to call super().__init__(decorator, instance)",
                imports::type_name(slf.as_any())
            ))
        })
    }

    pub(crate) fn instance<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.state().instance.as_ref().map(|instance| instance.bind(slf.py()).clone())
    }

    /// Returns the arguments, after the instance.
    pub(crate) fn with_instance<'py>(
        slf: &Bound<'py, Self>,
        args: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let Some(instance) = Self::instance(slf) else { return Ok(args) };
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(instance);
        all.extend(args.iter());
        PyTuple::new(py, all)
    }
}

/// Binder of `@asynq(pure=True)`.
#[pyclass(frozen, extends = DecoratorBinder, subclass, module = "asynq.decorators")]
pub(crate) struct PureAsyncDecoratorBinder;

/// Binder of `@asynq()`.
#[pyclass(frozen, extends = DecoratorBinder, subclass, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct AsyncDecoratorBinder(pub(super) Entry<Self>);

impl AsyncDecoratorBinder {
    /// Prepares the class, before it has objects and subclasses.
    pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
        let blank = PyClassInitializer::from(DecoratorBinder::default());
        vectorcall::install(&Bound::new(py, blank.add_subclass(Self::default()))?)
    }

    /// Binds without a call through Python.
    pub(crate) fn bind<'py>(
        decorator: &Bound<'py, PyAny>,
        instance: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let binder = DecoratorBinder(GilCell::new(Bindings {
            decorator: Some(decorator.clone().unbind()),
            instance: instance.map(Bound::unbind),
        }));
        Bound::new(decorator.py(), PyClassInitializer::from(binder).add_subclass(Self::default()))
    }
}
