//! Sessions: recordings that go on, and the code that belongs to each.

use std::collections::VecDeque;
use std::path::PathBuf;

use asynq_explain::{Keys, Sampler};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::explain::convert;
use crate::explain::log::{self, Session};
use crate::explain::recording::Recording;
use crate::ffi::context_vars::{Context, Table, current_table, variable_value};
/// Returns the context variable that holds the number of the innermost session.
fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let variable = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        class.call1(("asynq.explain",)).map(Bound::unbind)
    })?;
    Ok(variable.bind(py))
}

fn this_thread() -> u64 {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.try_with(|mark| std::ptr::from_ref(mark) as u64).unwrap_or(0)
}

fn innermost(py: Python<'_>) -> u32 {
    let number = variable(py).ok().and_then(variable_value);
    number.and_then(|number| number.extract().ok()).unwrap_or(0)
}

/// Returns the number of the session to which the code that runs now belongs.
#[inline]
pub(crate) fn of_caller(py: Python<'_>) -> Option<u32> {
    let (table, thread) = (current_table(py), this_thread());
    let known = log::with(py, |log| {
        let last = log.last_context.as_ref()?;
        (last.table == table && last.thread == thread).then_some(last.session)
    });
    match known? {
        Some(session) => (session != 0).then_some(session),
        None => find(py, table, thread),
    }
}

fn find(py: Python<'_>, table: Table, thread: u64) -> Option<u32> {
    let found = look_up(py, thread);
    let context = Context::copy_current(py).ok()?;
    let session = found.unwrap_or(0);
    let last = log::LastContext { table, thread, session, context };
    let before = log::with(py, |log| log.last_context.replace(last));
    drop(before);
    found
}

fn look_up(py: Python<'_>, thread: u64) -> Option<u32> {
    let number = innermost(py);
    log::with(py, |log| {
        let mut number = number;
        while let Some(&outer) = log.ended.get(&number) {
            number = outer;
        }
        if number != 0 && log.session(number).is_some() {
            return Some(number);
        }
        let takes = |session: &&Session| {
            session.everything || session.all_threads && session.thread != thread
        };
        log.sessions.iter().rev().find(takes).map(|session| session.number)
    })?
}

/// A recording that goes on, of the code in the context in which it has begun.
#[pyclass(frozen, module = "asynq._explain")]
pub(crate) struct ExplainSession {
    number: u32,
    program: String,
    started: u64,
    folder: PathBuf,
    token: Option<Py<PyAny>>,
}

#[pymethods]
impl ExplainSession {
    /// Begins to record. `all_threads` includes other threads outside of other sessions; `everything` also
    /// other contexts of this one.
    #[new]
    #[pyo3(signature = (program, keys, capacity, sampling, *, all_threads, everything))]
    fn new(
        py: Python<'_>,
        program: String,
        keys: &str,
        capacity: usize,
        sampling: f64,
        all_threads: bool,
        everything: bool,
    ) -> PyResult<Self> {
        let keys: Keys = keys.parse().map_err(|error: asynq_explain::UnknownKeys| {
            PyValueError::new_err(error.to_string())
        })?;
        if !(0.0..=1.0).contains(&sampling) {
            return Err(PyValueError::new_err(format!("sampling must be 0 to 1, got {sampling}")));
        }
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let started = started.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0));
        let parent = of_caller(py).unwrap_or(0);
        let thread = this_thread();
        let variable = variable(py)?;
        let number = log::begin(py, |number, began| Session {
            number,
            parent,
            thread,
            all_threads,
            everything,
            keys,
            capacity,
            sampling,
            sampler: Sampler::new(sampling),
            began,
            entries: VecDeque::new(),
            dropped: 0,
            last_ended: None,
        });
        let token = if everything { None } else { Some(variable.call_method1("set", (number,))?) };
        let folder = std::env::current_dir().unwrap_or_default();
        Ok(Self { number, program, started, folder, token: token.map(Bound::unbind) })
    }

    /// Ends it. Returns the recording; None if it has ended before.
    fn end(&self, py: Python<'_>) -> PyResult<Option<Recording>> {
        if let Some(token) = &self.token {
            // It may have begun in another context, where it then still counts.
            if variable(py)?.call_method1("reset", (token,)).is_err()
                && innermost(py) == self.number
            {
                variable(py)?.call_method1("set", (0_u32,))?;
            }
        }
        Ok(log::end(py, self.number, convert::recording).map(|recording| self.finish(recording)))
    }

    /// Returns the recording so far.
    fn recording(&self, py: Python<'_>) -> PyResult<Recording> {
        let recording = log::with(py, |log| {
            let session = log.sessions.iter().find(|session| session.number == self.number)?;
            Some(convert::recording(log, session))
        });
        let ended = || PyRuntimeError::new_err("the recording has ended");
        recording.flatten().map(|recording| self.finish(recording)).ok_or_else(ended)
    }
}

impl ExplainSession {
    fn finish(&self, mut recording: asynq_explain::Recording) -> Recording {
        recording.header.program.clone_from(&self.program);
        recording.header.started = self.started;
        Recording::of(recording, self.folder.clone())
    }
}
