//! `Gather`: several awaitables as one.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};

/// The awaitables that `gather` was given, to be awaited or yielded together.
#[pyclass(frozen, weakref, module = "asynq._gather")]
pub(crate) struct Gather(pub(crate) GilCell<Gathered>);

has_state!(Gather: Gathered);

/// State of a [`Gather`].
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) awaitables: Option<Py<PyTuple>>,
    pub(crate) returns_errors: bool,
}

impl Gather {
    /// Gathers awaitables, none of which is a coroutine.
    pub(crate) fn of(
        awaitables: Bound<'_, PyTuple>,
        returns_errors: bool,
    ) -> PyResult<Bound<'_, Self>> {
        let py = awaitables.py();
        let awaitables = Some(awaitables.unbind());
        Bound::new(py, Self(GilCell::new(Gathered { awaitables, returns_errors })))
    }

    pub(crate) fn awaitables<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyTuple> {
        let py = slf.py();
        let awaitables = slf.state().awaitables.as_ref().map(|tuple| tuple.bind(py).clone());
        awaitables.unwrap_or_else(|| PyTuple::empty(py))
    }

    /// Returns whether errors stand in the place of values.
    pub(crate) fn returns_errors(slf: &Bound<'_, Self>) -> bool {
        slf.state().returns_errors
    }
}
