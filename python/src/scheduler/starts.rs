//! Tasks that await others which are being started inline; see `Note: inline starts` in the engine.

use asynq_engine::Dependency;
use pyo3::prelude::*;

use crate::ffi::unowned::Unowned;
use crate::task::async_task::AsyncTask;

/// A task that awaits tasks which are started one after the other, by code that holds both.
pub(crate) struct Start {
    pub(crate) task: Unowned<AsyncTask>,
    /// The task that it awaits, or a list or tuple of tasks.
    pub(crate) children: Unowned<PyAny>,
    /// Number of tasks that it awaits.
    pub(crate) count: usize,
    /// Number of those that were started. The last of them may be running.
    pub(crate) started: usize,
    pub(crate) blocked: Blocked,
}

/// Tasks that were started and wait, in order.
#[derive(Default)]
pub(crate) enum Blocked {
    #[default]
    None,
    One(Dependency),
    Many(Vec<Dependency>),
}

impl Blocked {
    #[inline]
    pub(crate) fn push(&mut self, dependency: Dependency) {
        match self {
            Self::None => *self = Self::One(dependency),
            Self::One(first) => *self = Self::Many(vec![*first, dependency]),
            Self::Many(all) => all.push(dependency),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Dependency] {
        match self {
            Self::None => &[],
            Self::One(dependency) => std::slice::from_ref(dependency),
            Self::Many(all) => all,
        }
    }
}
