//! Tasks that await others which are being started inline; see `Note: inline starts` in the engine.

use asynq_engine::Dependency;
use pyo3::prelude::*;

use crate::task::async_task::AsyncTask;

/// A task that awaits tasks which are started one after the other.
pub(crate) struct Start {
    pub(crate) task: Py<AsyncTask>,
    /// The task that it awaits, or a list or tuple of tasks.
    pub(crate) awaited: Py<PyAny>,
    /// Number of those that were started. The last of them may be running.
    pub(crate) started: usize,
    /// Tasks that were started and wait.
    pub(crate) blocked: Vec<Dependency>,
}
