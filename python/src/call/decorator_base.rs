//! `DecoratorBase`: what all decorators share, whatever they do with the function.

use pyo3::exceptions::{PyNotImplementedError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyTraverseError, PyTypeInfo, PyVisit, intern};

use crate::call::binder::{AsyncDecoratorBinder, DecoratorBinder};
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::imports;

/// Base of decorators that are objects: they replace a function, and bind like one when they stand
/// in a class. Subclasses override `name()` and `__call__`.
#[pyclass(frozen, subclass, dict, weakref, module = "asynq.decorators")]
#[derive(Default)]
pub(crate) struct DecoratorBase(GilCell<Decorated>);

has_state!(DecoratorBase: Decorated);

/// State of a [`DecoratorBase`].
#[derive(Default)]
pub(crate) struct Decorated {
    function: Option<Py<PyAny>>,
    /// `classmethod` or `staticmethod`, if the decorated function was one.
    method_type: Option<Py<PyAny>>,
    /// True once another decorator has decorated this one.
    is_inner: bool,
    /// Functions behind the bound call forms, once one was looked up.
    call_forms: Option<Py<PyDict>>,
}

impl Drop for Decorated {
    fn drop(&mut self) {
        defer_drop(self.function.take());
        defer_drop(self.method_type.take());
        defer_drop(self.call_forms.take());
    }
}

impl DecoratorBase {
    #[inline]
    pub(crate) fn function<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::known_function(slf).ok_or_else(|| decorates_nothing(slf))
    }

    /// Returns the function; `None` if `__init__` was not called.
    #[inline]
    pub(crate) fn known_function<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        slf.state().function.as_ref().map(|function| function.bind(slf.py()).clone())
    }

    /// Replaces the function, and returns the one before, to be dropped.
    ///
    /// # Errors
    ///
    /// `ValueError` if `slf` decorates the function already, directly or through others: such a
    /// decorator would call itself for ever.
    fn decorate(slf: &Bound<'_, Self>, function: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        if function.is(slf) || slf.state().is_inner {
            let mut next = Some(function.clone());
            while let Some(function) = next {
                if function.is(slf) {
                    return Err(PyValueError::new_err("a decorator cannot decorate itself"));
                }
                let inner = function.cast::<Self>().ok();
                next = inner.and_then(|i| i.state().function.as_ref().map(|f| f.bind(py).clone()));
            }
        }
        if let Ok(inner) = function.cast::<Self>() {
            inner.state().is_inner = true;
        }
        let call_forms = slf.state().call_forms.take();
        defer_drop(call_forms);
        Ok(slf.state().function.replace(function.clone().unbind()))
    }

    pub(crate) fn init(slf: &Bound<'_, Self>, decorated: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        // A bound method has the attribute, too, but its function alone would lose the object.
        let is_method = decorated.is_exact_instance(imports::bound_method(py)?);
        let inner = decorated.getattr_opt(intern!(py, "__func__"))?.filter(|_| !is_method);
        let (function, method_type) = if let Some(inner) = inner {
            (inner, Some(decorated.get_type().into_any()))
        } else if decorated.hasattr(intern!(py, "is_decorator"))? {
            (decorated.clone(), Some(decorated.getattr(intern!(py, "type"))?))
        } else {
            (decorated.clone(), None)
        };
        for name in ["__module__", "__name__", "__qualname__", "__doc__"] {
            if let Ok(value) = function.getattr(name) {
                slf.setattr(name, value)?;
            }
        }
        let method_type = method_type.filter(|method| !method.is_none()).map(Bound::unbind);
        defer_drop(Self::decorate(slf, &function)?);
        let before = std::mem::replace(&mut slf.state().method_type, method_type);
        defer_drop(before);
        Ok(())
    }
}

#[cold]
fn decorates_nothing(decorator: &Bound<'_, DecoratorBase>) -> PyErr {
    PyTypeError::new_err(format!(
        "{} decorates nothing: its class has to call super().__init__(fn, ...)",
        imports::type_name(decorator.as_any())
    ))
}

#[pymethods]
impl DecoratorBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (r#fn))]
    fn __init__(slf: &Bound<'_, Self>, r#fn: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::init(slf, r#fn)
    }

    #[classattr]
    fn binder_cls(py: Python<'_>) -> Bound<'_, PyType> {
        DecoratorBinder::type_object(py)
    }

    /// The decorated function.
    #[getter(r#fn)]
    fn py_function<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::function(slf)
    }

    #[setter(r#fn)]
    fn set_function(slf: &Bound<'_, Self>, function: &Bound<'_, PyAny>) -> PyResult<()> {
        defer_drop(Self::decorate(slf, function)?);
        Ok(())
    }

    /// `classmethod`, `staticmethod` or `None`.
    #[getter]
    fn r#type(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().method_type.as_ref().map(|method_type| method_type.clone_ref(slf.py()))
    }

    #[setter]
    fn set_type(slf: &Bound<'_, Self>, method_type: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut slf.state().method_type, method_type);
        defer_drop(before);
    }

    /// The name of the decorator, as in `@asynq()`.
    fn name(slf: &Bound<'_, Self>) -> PyResult<String> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override name()",
            imports::type_name(slf.as_any())
        )))
    }

    /// Marks decorators, and functions bound by one.
    #[staticmethod]
    fn is_decorator() -> bool {
        true
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__(
        slf: &Bound<'_, Self>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let _ = (args, kwargs);
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override __call__()",
            imports::type_name(slf.as_any())
        )))
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        owner: Option<Bound<'py, PyAny>>,
        cls: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        thread_exit::protect();
        let method_type = Self::r#type(slf);
        let mut instance = owner;
        if let Some(method_type) = method_type {
            if method_type.is(imports::staticmethod(py)?) {
                return Ok(slf.clone().into_any());
            }
            if method_type.is(imports::classmethod(py)?) {
                instance = cls.or_else(|| instance.map(|instance| instance.get_type().into_any()));
            }
        }
        let binder = slf.getattr(intern!(py, "binder_cls"))?;
        if binder.is(AsyncDecoratorBinder::type_object(py)) {
            return AsyncDecoratorBinder::bind(slf.as_any(), instance).map(Bound::into_any);
        }
        match instance {
            Some(instance) => binder.call1((slf, instance)),
            None => binder.call1((slf,)),
        }
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let name = slf.call_method0(intern!(slf.py(), "name"))?;
        let function = Self::function(slf)?;
        let full_name: String = imports::describe(slf.py(), "full_name", (function,))?.extract()?;
        Ok(format!("{name} {full_name}"))
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, pyo3::types::PyString>> {
        slf.str()
    }

    /// Pickled by name, as functions are.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let module = slf.getattr(intern!(py, "__module__"))?;
        let qualname = slf.getattr(intern!(py, "__qualname__"))?;
        (imports::find_decorated(py)?, (module, qualname)).into_pyobject(py)
    }

    /// Copied as functions are: not at all.
    fn __copy__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __deepcopy__<'py>(slf: &Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf.clone()
    }

    /// Annotations of the function, unless others were set.
    #[getter(__annotations__)]
    fn annotations<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let attributes = slf.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        match attributes.get_item(intern!(py, "__annotations__"))? {
            Some(annotations) => Ok(annotations),
            None => imports::annotations(py)?.call1((slf,)),
        }
    }

    #[setter(__annotations__)]
    fn set_annotations(slf: &Bound<'_, Self>, annotations: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let attributes = slf.getattr(intern!(py, "__dict__"))?;
        attributes.set_item(intern!(py, "__annotations__"), annotations)
    }

    /// Functions behind the bound call forms, by call form.
    #[getter(_call_forms)]
    pub(crate) fn call_forms<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        let py = slf.py();
        let known = slf.state().call_forms.as_ref().map(|forms| forms.bind(py).clone());
        known.unwrap_or_else(|| {
            let empty = PyDict::new(py);
            slf.state().call_forms.get_or_insert(empty.unbind()).bind(py).clone()
        })
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
        let Some(decorated) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&decorated.function)?;
        visit.call(&decorated.method_type)?;
        visit.call(&decorated.call_forms)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
