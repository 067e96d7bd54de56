//! `Flight` as Python sees it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::loader::nodes::{LoaderHost, part};
use crate::loader::permits::Permits;
use crate::loader::send;
use crate::scheduler::inbox::{Answer, Flight};

#[pymethods]
impl Flight {
    #[new]
    fn py_new(request: Py<PyAny>) -> Self {
        Self::of(request)
    }

    /// Takes the keys of the request, which has its permits.
    fn take_keys(slf: &Bound<'_, Self>) -> PyResult<()> {
        let taken =
            slf.state().part.as_ref().map(|(host, number)| (host.clone_ref(slf.py()), *number));
        let Some((host, number)) = taken else { return Ok(()) };
        send::permit(host.bind(slf.py()).cast::<LoaderHost>()?, part(number)).map(|_| ())
    }

    /// Calls `function(*args)`, and gives the flight its value or error as the answer, and the
    /// permits back. Does nothing if the flight has its answer already, or needs none any more.
    #[pyo3(signature = (function, *args))]
    fn run(
        slf: &Bound<'_, Self>,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        thread_exit::protect();
        if !Self::is_awaiting_answer(slf) {
            return Self::release(slf);
        }
        let answer = match function.call1(args) {
            Ok(value) => Answer::Value(value.unbind()),
            Err(error) => Answer::of_error(slf.py(), &error),
        };
        let released = Self::release(slf);
        Self::arrive(slf, answer);
        released
    }

    /// Gives the permits of the request back.
    #[pyo3(name = "release")]
    fn py_release(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::release(slf)
    }

    /// Returns whether its answer is still needed.
    #[getter]
    fn is_awaiting_answer(slf: &Bound<'_, Self>) -> bool {
        !Self::is_finished(slf) && !Self::has_arrived(slf)
    }

    /// Gives the flight a value as its answer, in any thread.
    fn set_answer(slf: &Bound<'_, Self>, answer: Py<PyAny>) {
        Self::arrive(slf, Answer::Value(answer));
    }

    /// Gives the flight an error as its answer, in any thread.
    fn set_error(slf: &Bound<'_, Self>, error: Py<PyAny>) {
        Self::arrive(slf, Answer::Error(error));
    }

    /// True from the arrival of the answer until a scheduler handles it.
    #[getter]
    fn has_arrived(slf: &Bound<'_, Self>) -> bool {
        !matches!(slf.state().answer, Answer::Pending)
    }

    /// Ends the flight: no scheduler waits for it any more.
    #[pyo3(name = "finish")]
    fn py_finish(slf: &Bound<'_, Self>) {
        Self::finish(slf);
    }

    /// True if no scheduler waits for the flight any more.
    #[getter(is_finished)]
    fn py_is_finished(slf: &Bound<'_, Self>) -> bool {
        Self::is_finished(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        visit.call(&state.request)?;
        visit.call(&state.permits)?;
        if let Some((host, _)) = &state.part {
            visit.call(host)?;
        }
        match &state.answer {
            Answer::Value(answer) | Answer::Error(answer) => visit.call(answer),
            Answer::Pending => Ok(()),
        }
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = {
            let mut state = slf.state();
            (state.request.take(), state.part.take(), std::mem::take(&mut state.answer))
        };
        drop(before);
    }
}

impl Flight {
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let permits = slf.state().permits.take();
        permits.map_or(Ok(()), |permits| Permits::release(permits.bind(slf.py())))
    }
}

/// Fails all flights in a forked process, because only its parent gets the answers.
#[pyfunction]
pub(crate) fn fail_flights_after_fork(py: Python<'_>) {
    for flight in Flight::all(py) {
        let error = PyRuntimeError::new_err("the process was forked while it was in flight");
        Flight::arrive(flight.bind(py), Answer::Error(error.into_value(py).into_any()));
    }
}
