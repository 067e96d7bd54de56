//! Jobs: the units of work that the engine runs for Python.

use asynq_engine::Host;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::priority::BatchPriority;
use crate::event_loop::call::AsyncioCall;
use crate::future::base::FutureBase;
use crate::task::async_task::AsyncTask;

/// The types that this front end puts into the engine.
pub(crate) struct PythonHost;

impl Host for PythonHost {
    type Task = PackedJob;
    type Batch = Py<BatchBase>;
    /// The context itself is in [`EnteredContext`](super::state::EnteredContext): the engine may drop this at any time, and
    /// a Python object runs code when it dies.
    type Context = ();
    type Priority = BatchPriority;
}

/// A unit of work that the engine runs.
pub(crate) enum Job {
    Task(Py<AsyncTask>),
    /// A future of another kind, that a task waits for.
    Future(Py<FutureBase>),
    /// A call from asyncio.
    Call(Py<AsyncioCall>),
    /// The root of everything that is awaited on an event loop.
    Root,
}

/// A [`Job`] as the engine keeps it, in one word: its class says what the object is.
pub(crate) struct PackedJob(Option<Py<PyAny>>);

impl From<Job> for PackedJob {
    #[inline]
    fn from(job: Job) -> Self {
        Self(match job {
            Job::Task(task) => Some(task.into_any()),
            Job::Future(future) => Some(future.into_any()),
            Job::Call(call) => Some(call.into_any()),
            Job::Root => None,
        })
    }
}

impl PackedJob {
    #[inline]
    pub(crate) fn get(&self, py: Python<'_>) -> Job {
        let Some(object) = &self.0 else { return Job::Root };
        let object = object.bind(py);
        if let Ok(task) = object.cast_exact::<AsyncTask>() {
            return Job::Task(task.clone().unbind());
        }
        Self::of_another(object)
    }

    #[cold]
    fn of_another(object: &Bound<'_, PyAny>) -> Job {
        if let Ok(task) = object.cast::<AsyncTask>() {
            Job::Task(task.clone().unbind())
        } else if let Ok(future) = object.cast::<FutureBase>() {
            Job::Future(future.clone().unbind())
        } else if let Ok(call) = object.cast::<AsyncioCall>() {
            Job::Call(call.clone().unbind())
        } else {
            unreachable!("it was packed")
        }
    }

    /// Returns whether it is a call from asyncio.
    pub(crate) fn is_call(&self, py: Python<'_>) -> bool {
        self.0.as_ref().is_some_and(|object| object.bind(py).is_exact_instance_of::<AsyncioCall>())
    }

    /// Gives up the object.
    #[inline]
    pub(crate) fn release(self, py: Python<'_>) {
        if let Some(object) = self.0 {
            object.drop_ref(py);
        }
    }
}
