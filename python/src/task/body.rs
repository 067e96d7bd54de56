//! `Body`: the code of a task, which is a generator or a plain function.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator};

use crate::call::args::Args;
use crate::ffi::gc_tracking::GcRef;

/// Code of a task that has not run yet.
pub(crate) enum Body {
    /// None yet: `__init__` was not called.
    Missing,
    Generator(GcRef),
    /// The function of the task, not called yet.
    Call,
    /// Nothing: the generator is closed, or the function was called.
    Ended,
}

impl Body {
    pub(crate) fn of_generator(generator: Bound<'_, PyAny>) -> Self {
        Self::Generator(GcRef::new(generator))
    }
}

/// Result of one step of a body.
pub(crate) enum Advance<'py> {
    Yield(Bound<'py, PyAny>),
    Return(Bound<'py, PyAny>),
}

/// Sends a value into a generator.
#[cfg(Py_3_10)]
pub(crate) fn send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Advance<'py>> {
    use pyo3::types::iterator::PySendResult;

    match generator.cast::<PyIterator>() {
        // Unlike `generator.send`, a `return` makes no exception here.
        Ok(iterator) => match iterator.send(value)? {
            PySendResult::Next(value) => Ok(Advance::Yield(value)),
            PySendResult::Return(value) => Ok(Advance::Return(value)),
        },
        Err(_) => call_send(generator, value),
    }
}

#[cfg(not(Py_3_10))]
pub(crate) fn send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Advance<'py>> {
    call_send(generator, value)
}

fn call_send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Advance<'py>> {
    advance(generator.py(), generator.call_method1(pyo3::intern!(generator.py(), "send"), (value,)))
}

/// Raises an error in a generator, at the `yield` where it waits.
pub(crate) fn throw<'py>(generator: &Bound<'py, PyAny>, error: &PyErr) -> PyResult<Advance<'py>> {
    let py = generator.py();
    let value = error.value(py);
    // The exception brings its traceback, to which this generator's frame is added.
    value.setattr(pyo3::intern!(py, "__traceback__"), error.traceback(py))?;
    advance(py, generator.call_method1(pyo3::intern!(py, "throw"), (value,)))
}

fn advance<'py>(py: Python<'py>, result: PyResult<Bound<'py, PyAny>>) -> PyResult<Advance<'py>> {
    match result {
        Ok(value) => Ok(Advance::Yield(value)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) => {
            Ok(Advance::Return(error.value(py).getattr(pyo3::intern!(py, "value"))?))
        }
        Err(error) => Err(error),
    }
}

/// Calls a plain function, which is all of its task.
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    args: &Args,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Advance<'py>> {
    args.call(function, kwargs).map(Advance::Return)
}
