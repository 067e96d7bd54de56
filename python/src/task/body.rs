//! `Body`: the code of a task, which is a generator, a coroutine or a plain function.

use pyo3::prelude::*;

use crate::call::args::Args;
use crate::ffi::gc_tracking::GcRef;

/// Code of a task that has not run yet.
pub(crate) enum Body {
    /// None yet: `__init__` was not called.
    Missing,
    /// A generator or coroutine, which may have run.
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

impl Body {
    /// Gives up the generator, if there is one.
    #[inline]
    pub(crate) fn release(self, py: Python<'_>) {
        if let Self::Generator(generator) = self {
            generator.release(py);
        }
    }
}

/// Result of one step of a body.
pub(crate) enum Advance<'py> {
    Yield(Bound<'py, PyAny>),
    Return(Bound<'py, PyAny>),
}

/// Sends a value into a generator or coroutine.
#[cfg(Py_3_10)]
pub(crate) fn send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Advance<'py>> {
    use pyo3::types::iterator::PySendResult;

    Ok(match crate::ffi::resume::send(generator, value)? {
        PySendResult::Next(value) => Advance::Yield(value),
        PySendResult::Return(value) => Advance::Return(value),
    })
}

/// Sends a value into a generator or coroutine.
#[cfg(not(Py_3_10))]
pub(crate) fn send<'py>(
    generator: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Advance<'py>> {
    let py = generator.py();
    advance(py, generator.call_method1(pyo3::intern!(py, "send"), (value,)))
}

/// Starts a generator or coroutine.
#[inline]
pub(crate) fn start<'py>(generator: &Bound<'py, PyAny>) -> PyResult<Advance<'py>> {
    send(generator, &generator.py().None().into_bound(generator.py()))
}

/// Raises an error in a generator or coroutine, at the `yield` or `await` where it waits.
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
pub(crate) fn call<'py>(function: &Bound<'py, PyAny>, args: &Args) -> PyResult<Advance<'py>> {
    args.call(function, None).map(Advance::Return)
}
