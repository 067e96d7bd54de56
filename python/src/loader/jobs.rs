//! `Jobs`: the functions that wait for a worker thread, and the threads that wait for a function.

use std::collections::VecDeque;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::ffi::gil_cell::{GilCell, TakeState, has_state};

/// The jobs of a pool of threads. A job is handed over in one piece, whatever a signal handler
/// raises in the thread that submits it.
#[pyclass(frozen, module = "asynq.loaders")]
#[derive(Default)]
pub(crate) struct Jobs(GilCell<Waiting>);

has_state!(Jobs: Waiting);

/// State of [`Jobs`].
#[derive(Default)]
pub(crate) struct Waiting {
    jobs: VecDeque<Py<PyAny>>,
    /// The `queue.SimpleQueue` of each thread that is idle, the last one to become so last.
    idle: Vec<Py<PyAny>>,
    /// Number of threads, idle or not.
    threads: usize,
}

#[pymethods]
impl Jobs {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds a job, and wakes an idle thread. If none is idle, calls `start(run, ())`, which starts
    /// one, unless there are `max_threads`. If that raises, the job is not added. With `is_nested`,
    /// the job is not added either if it would have to wait. Returns whether it was added.
    fn add(
        slf: &Bound<'_, Self>,
        job: Py<PyAny>,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
        max_threads: usize,
        is_nested: bool,
    ) -> PyResult<bool> {
        let py = slf.py();
        let added = job.clone_ref(py);
        let idle = {
            let mut state = slf.state();
            let idle = state.idle.pop();
            let is_full = idle.is_none() && state.threads >= max_threads;
            if is_full && is_nested {
                return Ok(false);
            }
            state.jobs.push_back(job);
            if is_full {
                return Ok(true);
            }
            state.threads += usize::from(idle.is_none());
            idle
        };
        let is_new = idle.is_none();
        let woken = match idle {
            Some(idle) => idle.call_method1(py, intern!(py, "put"), (py.None(),)).map(|_| ()),
            None => start.call1((run, ())).map(|_| ()),
        };
        let Err(error) = woken else { return Ok(true) };
        let removed = {
            let mut state = slf.state();
            state.threads -= usize::from(is_new);
            let index = state.jobs.iter().rposition(|job| job.is(&added));
            index.and_then(|index| state.jobs.remove(index))
        };
        // Otherwise another thread has taken it meanwhile.
        if removed.is_some() { Err(error) } else { Ok(true) }
    }

    /// Returns the next job for the thread with this queue. Without one, the thread becomes idle,
    /// and gets something in its queue when it has to look again.
    fn take(slf: &Bound<'_, Self>, queue: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
        let mut state = slf.state();
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.idle.push(queue.clone().unbind());
        }
        job
    }

    /// Ends the idleness of the thread with this queue. Returns whether it was idle: if not, there
    /// is something in its queue.
    fn leave(slf: &Bound<'_, Self>, queue: &Bound<'_, PyAny>) -> bool {
        let removed = {
            let mut state = slf.state();
            let index = state.idle.iter().position(|other| other.is(queue));
            state.threads -= usize::from(index.is_some());
            index.map(|index| state.idle.remove(index))
        };
        removed.is_some()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        state.jobs.iter().try_for_each(|job| visit.call(job))?;
        state.idle.iter().try_for_each(|queue| visit.call(queue))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
