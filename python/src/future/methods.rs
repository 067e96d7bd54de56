//! `FutureBase` as Python sees it.

use std::ffi::CStr;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::batch::item::BatchItemBase;
use crate::ffi::arguments::Arguments;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::fast_method::FastMethod;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::kind_cast::as_item;
use crate::future::awaiting;
use crate::future::base::{FutureBase, Kind};
use crate::future::compute;
use crate::future::outcome::Outcome;
use crate::future::resolve::{after_resolve, is_resolved_at_once, resolve};
use crate::imports;
use crate::loader::load::Load;
use crate::task::async_task::AsyncTask;

/// The method `set_value`, which a flush calls for each of its items.
pub(crate) struct SetValue;

impl FastMethod for SetValue {
    type Class = FutureBase;

    const NAME: &'static CStr = c"set_value";
    const DOC: &'static CStr = c"set_value($self, /, value)\n--\n\n\
        Gives the future its value. The tasks that wait for it go on.\n\n\
        Raises `FutureIsAlreadyComputed` if it has a value or an error.";

    fn call<'py>(
        slf: &Bound<'py, FutureBase>,
        args: Arguments<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = args.one("FutureBase.set_value", "value")?;
        resolve(slf, Outcome::Value(value.unbind()))?;
        Ok(slf.py().None().into_bound(slf.py()))
    }

    #[inline]
    fn call_at_once<'py>(
        slf: &Bound<'py, FutureBase>,
        args: Arguments<'_, 'py>,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let item = as_item(slf)?;
        let value = args.only()?;
        is_resolved_at_once(item, value).then(|| Ok(slf.py().None().into_bound(slf.py())))
    }
}

#[pymethods]
impl FutureBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::new(Kind::Plain)
    }

    #[pyo3(signature = ())]
    fn __init__(_slf: &Bound<'_, Self>) {}

    /// Returns the value, computing it if necessary; raises the error if the future failed.
    #[pyo3(name = "value")]
    fn py_value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        compute::value(slf)
    }

    /// The same as `value()`.
    #[pyo3(signature = (*_args, **_kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        _args: &Bound<'py, PyTuple>,
        _kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method0(intern!(slf.py(), "value"))
    }

    /// Returns the error, or `None` if there is a value; computes the future if necessary.
    #[pyo3(name = "error")]
    fn py_error(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        compute::error(slf)
    }

    /// Raises the error, if there is one.
    fn raise_if_error(slf: &Bound<'_, Self>) -> PyResult<()> {
        match Self::outcome(slf) {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives the future an error, an exception, which is raised where the value is asked for.
    ///
    /// Raises `FutureIsAlreadyComputed` if it has a value or an error.
    fn set_error(slf: &Bound<'_, Self>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        resolve(slf, Outcome::from_exception(error)?)
    }

    /// Returns whether there is a value or an error.
    fn is_computed(slf: &Bound<'_, Self>) -> bool {
        !Self::is_pending(slf)
    }

    /// Forgets the value or error, so that the future can be computed once more. Normally there is
    /// no reason to do this.
    fn reset_unsafe(slf: &Bound<'_, Self>) {
        let before = slf.state().replace_outcome(Outcome::Pending);
        before.release(slf.py());
    }

    /// Override this to say how the value is computed; it has to set a value or an error.
    fn _compute(slf: &Bound<'_, Self>) -> PyResult<()> {
        compute::compute_natively(slf)
    }

    /// Called when a value or an error was set; it triggers `on_computed`.
    fn _computed(slf: &Bound<'_, Self>) -> PyResult<()> {
        after_resolve(slf)
    }

    /// Event that is triggered when the future is computed: after
    /// `future.on_computed.subscribe(handler)`, `handler(future)` is called.
    #[getter]
    fn on_computed<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let hook = slf.state().on_computed().map(|hook| hook.bind(py).clone());
        if let Some(hook) = hook {
            return Ok(hook);
        }
        no_leaf(slf);
        let hook = match slf.header().kind {
            Kind::Constant => imports::sinking_event_hook(py)?.clone(),
            _ => imports::event_hook(py)?.call0()?,
        };
        let before = slf.state().replace_on_computed(hook.clone().unbind());
        defer_drop(before);
        Ok(hook)
    }

    #[setter]
    fn set_on_computed(slf: &Bound<'_, Self>, hook: Py<PyAny>) {
        no_leaf(slf);
        let before = slf.state().replace_on_computed(hook);
        defer_drop(before);
    }

    #[getter(_value)]
    fn raw_value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let value = match slf.state().outcome() {
            Outcome::Pending => None,
            Outcome::Value(value) => Some(value.bind(py).clone()),
            Outcome::Error(..) => Some(py.None().into_bound(py)),
        };
        value.map_or_else(|| imports::future_none(py).cloned(), Ok)
    }

    #[getter(_error)]
    fn raw_error(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().outcome().error().map(|error| error.clone_ref(slf.py()))
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyString>> {
        awaiting::check_text(slf)?;
        slf.repr()
    }

    fn __repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "future_repr", (slf,))
    }

    /// Writes the future to `stdout`, `indent` levels to the right.
    #[pyo3(signature = (indent=0))]
    fn dump(slf: &Bound<'_, Self>, indent: usize) -> PyResult<()> {
        let function = match slf.header().kind {
            Kind::Task => "task_dump",
            Kind::Batch => "batch_dump",
            _ => "future_dump",
        };
        imports::describe(slf.py(), function, (slf, indent)).map(|_| ())
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaiting::awaited(slf, awaiting::value)
    }

    /// For `yield from future`, which is `yield future` with a type.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        awaiting::iterated(slf, awaiting::value)
    }

    fn __bool__(_slf: &Bound<'_, Self>) -> PyResult<bool> {
        Err(PyTypeError::new_err(
            "Cannot convert FutureBase object to bool: did you forget to yield it, or to call \
             value()?",
        ))
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
        let Some(future) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        match future.outcome() {
            Outcome::Pending => {}
            Outcome::Value(value) => visit.call(value)?,
            Outcome::Error(failure) => {
                visit.call(&failure.error)?;
                visit.call(&failure.traceback)?;
            }
        }
        visit.call(future.on_computed())
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = slf.state().take();
        drop(before);
    }
}

/// Tells the garbage collector of a future that it got a reference to something.
fn no_leaf(future: &Bound<'_, FutureBase>) {
    if let Ok(task) = future.cast::<AsyncTask>() {
        AsyncTask::no_leaf(task);
    } else if let Ok(load) = future.cast_exact::<Load>() {
        BatchItemBase::resume_tracking(load.as_super());
    }
}
