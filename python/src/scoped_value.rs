//! Overrides of scoped values and attributes. Their `resume()` and `pause()` are here, because a
//! signal handler can't raise in the middle of them.
//!
//! Overrides of scoped values are in a context variable, so they are visible only in the context of
//! `contextvars` that enters them: not in other threads, and not in other coroutines.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit};

use crate::context::AsyncContext;
use crate::ffi::gil_cell::{GilCell, TakeState, has_state};
use crate::scopes::{pop_scope, push_scope};

/// Returns the owner of the overrides of a scoped value: its `id()`. An entry has the value and the
/// scoped value, too.
fn owner<'py>(target: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyInt>> {
    Ok((target.as_ptr() as usize).into_pyobject(target.py())?)
}

fn not_active(context: &Bound<'_, PyAny>) -> PyErr {
    match context.repr() {
        Ok(repr) => PyRuntimeError::new_err(format!(
            "{repr} is not active: enter it before it is left or paused"
        )),
        Err(error) => error,
    }
}

/// Base of `AsyncScopedValue.override(value)`.
#[pyclass(frozen, extends = AsyncContext, subclass, module = "asynq.scoped_value")]
pub(crate) struct ScopedOverrideBase(GilCell<ScopedOverride>);

has_state!(ScopedOverrideBase: ScopedOverride);

/// State of a [`ScopedOverrideBase`].
#[derive(Default)]
pub(crate) struct ScopedOverride {
    target: Option<Py<PyAny>>,
    value: Option<Py<PyAny>>,
    /// Number of contexts and blocks in which it is active.
    active: usize,
    was_active: bool,
}

#[pymethods]
impl ScopedOverrideBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(AsyncContext::default()).add_subclass(Self(GilCell::default()))
    }

    /// Sets the scoped value, and the value that it has inside of the override.
    fn set_up(slf: &Bound<'_, Self>, target: Py<PyAny>, value: Py<PyAny>) {
        let before = {
            let mut state = slf.state();
            (state.target.replace(target), state.value.replace(value))
        };
        drop(before);
    }

    /// True if the override is active in any thread.
    #[getter(_is_active)]
    fn is_active(slf: &Bound<'_, Self>) -> bool {
        slf.state().active > 0
    }

    /// Sets the value in this context.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (target, value) = {
            let state = slf.state();
            let get =
                |object: &Option<Py<PyAny>>| object.as_ref().map(|object| object.bind(py).clone());
            (get(&state.target), get(&state.value))
        };
        let (Some(target), Some(value)) = (target, value) else {
            return Err(PyRuntimeError::new_err("this override was not initialized"));
        };
        let of_task = PyBool::new(py, AsyncContext::is_of_task(slf.as_super())).to_owned();
        let entry = PyTuple::new(py, [slf.as_any(), of_task.as_any(), &value, &target])?;
        push_scope(owner(&target)?.as_any(), &entry)?;
        let mut state = slf.state();
        state.active += 1;
        state.was_active = true;
        Ok(())
    }

    /// Ends that. A context in which it is not active, such as one in which the garbage collector
    /// closes a coroutine, stays as it is.
    fn pause(slf: &Bound<'_, Self>) -> PyResult<()> {
        let target = {
            let mut state = slf.state();
            let Some(active) = state.active.checked_sub(1) else {
                // A generator that is closed while its task is paused leaves the block once more.
                let was_active = state.was_active;
                drop(state);
                return if was_active { Ok(()) } else { Err(not_active(slf.as_any())) };
            };
            state.active = active;
            state.target.as_ref().map(|target| target.bind(slf.py()).clone())
        };
        let Some(target) = target else { return Ok(()) };
        pop_scope(owner(&target)?.as_any(), slf.as_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.target)?;
        visit.call(&state.value)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut state = slf.state();
            (state.target.take(), state.value.take())
        };
        drop(before);
    }
}

/// Base of `async_override(target, property_name, value)`.
#[pyclass(frozen, extends = AsyncContext, subclass, module = "asynq.scoped_value")]
pub(crate) struct AttributeOverrideBase(GilCell<AttributeOverride>);

has_state!(AttributeOverrideBase: AttributeOverride);

/// State of an [`AttributeOverrideBase`].
#[derive(Default)]
pub(crate) struct AttributeOverride {
    target: Option<Py<PyAny>>,
    name: Option<Py<PyAny>>,
    value: Option<Py<PyAny>>,
    /// Values of the attribute before. More than one if the override is entered inside its block.
    old_values: Vec<Py<PyAny>>,
    was_active: bool,
}

impl AttributeOverride {
    fn attribute<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        Some((self.target.as_ref()?.bind(py).clone(), self.name.as_ref()?.bind(py).clone()))
    }
}

fn set_attribute(
    target: &Bound<'_, PyAny>,
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    target.setattr(name.cast::<pyo3::types::PyString>()?, value)
}

#[pymethods]
impl AttributeOverrideBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(AsyncContext::default()).add_subclass(Self(GilCell::default()))
    }

    /// Sets the attribute, and the value that it has inside of the override.
    fn set_up(slf: &Bound<'_, Self>, target: Py<PyAny>, name: Py<PyAny>, value: Py<PyAny>) {
        let before = {
            let mut state = slf.state();
            (state.target.replace(target), state.name.replace(name), state.value.replace(value))
        };
        drop(before);
    }

    /// True if the override is active.
    #[getter(_is_active)]
    fn is_active(slf: &Bound<'_, Self>) -> bool {
        !slf.state().old_values.is_empty()
    }

    /// Sets the attribute.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (attribute, value) = {
            let state = slf.state();
            (state.attribute(py), state.value.as_ref().map(|value| value.bind(py).clone()))
        };
        let (Some((target, name)), Some(value)) = (attribute, value) else {
            return Err(PyRuntimeError::new_err("this override was not initialized"));
        };
        let old_value = target.getattr(name.cast::<pyo3::types::PyString>()?)?;
        set_attribute(&target, &name, &value)?;
        let mut state = slf.state();
        state.old_values.push(old_value.unbind());
        state.was_active = true;
        Ok(())
    }

    /// Sets the attribute to its value of before.
    fn pause(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (attribute, old_value, was_active) = {
            let mut state = slf.state();
            (state.attribute(slf.py()), state.old_values.pop(), state.was_active)
        };
        let Some(old_value) = old_value else {
            // As above.
            return if was_active { Ok(()) } else { Err(not_active(slf.as_any())) };
        };
        let Some((target, name)) = attribute else { return Ok(()) };
        set_attribute(&target, &name, old_value.bind(slf.py()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.target)?;
        visit.call(&state.name)?;
        visit.call(&state.value)?;
        state.old_values.iter().try_for_each(|value| visit.call(value))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
