//! A future's state: pending, a value or an error.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTraceback;

use crate::ffi::deferred_drop::{defer_drop, release};
use crate::imports;

/// The value or error of a future, or neither yet.
#[derive(Default)]
pub(crate) enum Outcome {
    #[default]
    Pending,
    Value(Py<PyAny>),
    /// In a box, because few futures fail.
    Error(Box<Failure>),
}

/// An exception, with its traceback as it was when the future failed: whoever awaits the future adds
/// frames to the exception's own, which the next one must not see.
pub(crate) struct Failure {
    pub(crate) error: Py<PyAny>,
    pub(crate) traceback: Option<Py<PyTraceback>>,
}

impl Failure {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        let traceback = self.traceback.as_ref().map(|traceback| traceback.clone_ref(py));
        Self { error: self.error.clone_ref(py), traceback }
    }
}

impl Outcome {
    /// An error, taken from Rust's hands.
    pub(crate) fn from_err(py: Python<'_>, error: &PyErr) -> Self {
        let traceback = error.traceback(py);
        let value = error.value(py);
        // Before CPython 3.12 an exception that was caught in Rust does not have it by itself.
        let _ = value.setattr(pyo3::intern!(py, "__traceback__"), traceback.as_ref());
        let error = value.clone().into_any().unbind();
        Self::Error(Box::new(Failure { error, traceback: traceback.map(Bound::unbind) }))
    }

    /// An error given by a user, any object in principle, as in `set_error(error)`.
    ///
    /// # Errors
    ///
    /// `TypeError` if it is not an exception: it could not be raised.
    pub(crate) fn from_exception(error: &Bound<'_, PyAny>) -> PyResult<Self> {
        if is_exception_class(error) {
            return Self::from_exception(&error.call0()?);
        }
        if !error.is_instance_of::<pyo3::exceptions::PyBaseException>() {
            return Err(not_an_exception(error));
        }
        let traceback = error.getattr(pyo3::intern!(error.py(), "__traceback__"))?;
        let traceback = traceback.cast_into().ok().map(Bound::unbind);
        Ok(Self::Error(Box::new(Failure { error: error.clone().unbind(), traceback })))
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }

    /// The value, or the error ready to be raised; `None` while pending.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        match self {
            Self::Pending => None,
            Self::Value(value) => Some(Ok(value.bind(py).clone())),
            Self::Error(failure) => {
                let error = failure.error.bind(py);
                Some(match error.setattr(pyo3::intern!(py, "__traceback__"), &failure.traceback) {
                    Ok(()) => Err(PyErr::from_value(error.clone())),
                    Err(error) => Err(error),
                })
            }
        }
    }

    /// The exception, if that is what it came to.
    pub(crate) fn error(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Error(failure) => Some(&failure.error),
            _ => None,
        }
    }

    /// Gives up what it holds, however long the chain that hangs on it.
    #[inline]
    pub(crate) fn release(self, py: Python<'_>) {
        match self {
            Self::Pending => {}
            Self::Value(value) => release(py, Some(value)),
            Self::Error(failure) => {
                let Failure { error, traceback } = *failure;
                release(py, Some(error));
                release(py, traceback);
            }
        }
    }

    /// Gives up what it holds as [`release`](Self::release) does, in a destructor.
    pub(crate) fn defer_drop(self) {
        match self {
            Self::Pending => {}
            Self::Value(value) => defer_drop(Some(value)),
            Self::Error(failure) => {
                defer_drop(Some(failure.error));
                defer_drop(failure.traceback);
            }
        }
    }
}

fn is_exception_class(object: &Bound<'_, PyAny>) -> bool {
    object.cast::<pyo3::types::PyType>().is_ok_and(|class| {
        class.is_subclass_of::<pyo3::exceptions::PyBaseException>().unwrap_or(false)
    })
}

fn not_an_exception(object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "the error of a future has to be an exception, not {}",
        imports::type_name(object)
    ))
}
