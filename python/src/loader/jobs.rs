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
    jobs: VecDeque<Job>,
    /// Number of jobs that are nested.
    nested: usize,
    /// The `queue.SimpleQueue` of each thread that is idle, the last one to become so last.
    idle: Vec<Py<PyAny>>,
    /// Number of threads, idle or not.
    threads: usize,
    /// Number of threads whose function waits for a load.
    lent: usize,
}

struct Job {
    run: Py<PyAny>,
    /// True if a function of a loader waits for it: it may run in place of a thread that waits.
    is_nested: bool,
}

impl Waiting {
    /// Returns whether there may be one more busy thread, for such a job.
    fn has_room(&self, busy: usize, max_threads: usize, is_nested: bool) -> bool {
        busy.saturating_sub(if is_nested { self.lent } else { 0 }) < max_threads
    }

    fn busy(&self) -> usize {
        self.threads - self.idle.len()
    }

    /// Removes the job that starts next; nested ones come first.
    fn pop(&mut self, busy: usize, max_threads: usize) -> Option<Job> {
        let index = if self.nested > 0 && self.has_room(busy, max_threads, true) {
            self.jobs.iter().position(|job| job.is_nested)?
        } else if self.has_room(busy, max_threads, false) {
            0
        } else {
            return None;
        };
        self.remove(index)
    }

    fn remove(&mut self, index: usize) -> Option<Job> {
        let job = self.jobs.remove(index)?;
        self.nested -= usize::from(job.is_nested);
        Some(job)
    }
}

impl Jobs {
    /// Wakes an idle thread, or else starts one.
    fn wake_thread(
        slf: &Bound<'_, Self>,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let idle = {
            let mut state = slf.state();
            let idle = state.idle.pop();
            state.threads += usize::from(idle.is_none());
            idle
        };
        let is_new = idle.is_none();
        let woken = match idle {
            Some(idle) => idle.call_method1(py, intern!(py, "put"), (py.None(),)).map(|_| ()),
            None => start.call1((run, ())).map(|_| ()),
        };
        if woken.is_err() {
            slf.state().threads -= usize::from(is_new);
        }
        woken
    }

    /// Starts a nested job, if there is one that may start now.
    fn start_nested(
        slf: &Bound<'_, Self>,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
        max_threads: usize,
    ) -> PyResult<()> {
        let can_start = {
            let state = slf.state();
            state.nested > 0 && state.has_room(state.busy(), max_threads, true)
        };
        if can_start { Self::wake_thread(slf, start, run) } else { Ok(()) }
    }
}

#[pymethods]
impl Jobs {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds a job, and wakes an idle thread. If none is idle, calls `start(run, ())`, which starts
    /// one, unless there are `max_threads`. If that raises, the job is not added. With `only_now`,
    /// the job is not added either if it would have to wait. Returns whether it was added.
    fn add(
        slf: &Bound<'_, Self>,
        job: Py<PyAny>,
        is_nested: bool,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
        max_threads: usize,
        only_now: bool,
    ) -> PyResult<bool> {
        let added = job.clone_ref(slf.py());
        {
            let mut state = slf.state();
            let has_room = state.has_room(state.busy(), max_threads, is_nested && !only_now);
            if only_now && !has_room {
                return Ok(false);
            }
            state.jobs.push_back(Job { run: job, is_nested });
            state.nested += usize::from(is_nested);
            if !has_room {
                return Ok(true);
            }
        }
        let Err(error) = Self::wake_thread(slf, start, run) else { return Ok(true) };
        let removed = {
            let mut state = slf.state();
            let index = state.jobs.iter().rposition(|job| job.run.is(&added));
            index.and_then(|index| state.remove(index))
        };
        // Otherwise another thread has taken it meanwhile.
        if removed.is_some() { Err(error) } else { Ok(true) }
    }

    /// Notes that a function of a loader waits for a job, which may be waiting for a thread. Starts
    /// a thread as `add` does.
    fn nest(
        slf: &Bound<'_, Self>,
        job: &Bound<'_, PyAny>,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
        max_threads: usize,
    ) -> PyResult<()> {
        {
            let mut state = slf.state();
            let waiting = state.jobs.iter_mut().find(|waiting| waiting.run.is(job));
            let Some(waiting) = waiting.filter(|waiting| !waiting.is_nested) else {
                return Ok(());
            };
            waiting.is_nested = true;
            state.nested += 1;
        }
        Self::start_nested(slf, start, run, max_threads)
    }

    /// Notes that the function of a busy thread waits for a load. Starts a thread as `add` does.
    fn lend(
        slf: &Bound<'_, Self>,
        start: &Bound<'_, PyAny>,
        run: Py<PyAny>,
        max_threads: usize,
    ) -> PyResult<()> {
        slf.state().lent += 1;
        Self::start_nested(slf, start, run, max_threads)
    }

    /// Notes that a function goes on that has waited for a load.
    fn take_back(slf: &Bound<'_, Self>) {
        let mut state = slf.state();
        state.lent = state.lent.saturating_sub(1);
    }

    /// Returns the next job for the thread with this queue. Without one, the thread becomes idle,
    /// and gets something in its queue when it has to look again.
    fn take(
        slf: &Bound<'_, Self>,
        queue: &Bound<'_, PyAny>,
        max_threads: usize,
    ) -> Option<Py<PyAny>> {
        let mut state = slf.state();
        let others = state.busy().saturating_sub(1);
        let job = state.pop(others, max_threads).map(|job| job.run);
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
        state.jobs.iter().try_for_each(|job| visit.call(&job.run))?;
        state.idle.iter().try_for_each(|queue| visit.call(queue))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
        drop(before);
    }
}
