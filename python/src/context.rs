//! `AsyncContext` and `NonAsyncContext`: what has to be paused while other tasks run.

use asynq_engine::ContextId;
use pyo3::exceptions::{PyAssertionError, PyNotImplementedError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::asyncio_mode::is_asyncio_mode;
use crate::names;
use crate::options::Switches;
use crate::scheduler::{Scheduler, active_task};
use crate::task::AsyncTask;

/// A context that a task has entered.
pub(crate) struct Entered {
    /// Its id in the engine.
    pub(crate) id: ContextId,
    pub(crate) context: Py<PyAny>,
}

/// The running task enters `context`; returns the task.
fn enter(context: &Bound<'_, PyAny>) -> Option<Py<AsyncTask>> {
    let py = context.py();
    let task = active_task(py)?;
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        names::trace(py, "context_enter", (context,));
    }
    let id = Scheduler::current().enter_context(context)?;
    let entered = Entered { id, context: context.clone().unbind() };
    task.bind(py).borrow_mut().rare().contexts.push(entered);
    Some(task)
}

/// `task` leaves `context`.
fn leave(context: &Bound<'_, PyAny>, task: &Bound<'_, AsyncTask>) {
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        names::trace(context.py(), "context_leave", (context,));
    }
    let entered = {
        let mut task = task.borrow_mut();
        let contexts = &mut task.rare().contexts;
        let place = contexts.iter().rposition(|entered| entered.context.is(context));
        place.map(|place| contexts.remove(place))
    };
    if let Some(entered) = entered {
        Scheduler::current().leave_context(entered.id);
    }
}

/// Base of contexts that follow the task that enters them: `resume()` is called whenever the task,
/// or what it waits for, goes on, and `pause()` whenever something else runs.
///
/// Subclasses override both. `__enter__` and `__exit__` call them too; a subclass that overrides
/// these calls `super()`.
#[pyclass(subclass, module = "asynq.contexts")]
#[derive(Default)]
pub(crate) struct AsyncContext {
    /// Those that have entered it, the last one last; `None` for code outside of tasks.
    entered_by: Vec<Option<Py<AsyncTask>>>,
}

#[pymethods]
impl AsyncContext {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        if !is_asyncio_mode(py)? {
            let task = enter(slf.as_any());
            slf.borrow_mut().entered_by.push(task);
        }
        slf.call_method0(intern!(py, "resume"))?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (ty, value, tb))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        ty: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        tb: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (ty, value, tb);
        let py = slf.py();
        if !is_asyncio_mode(py)? {
            let task = leaving(py, &mut slf.borrow_mut().entered_by);
            if let Some(task) = task {
                leave(slf.as_any(), task.bind(py));
            }
        }
        slf.call_method0(intern!(py, "pause")).map(|_| ())
    }

    /// Called when the context becomes active.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!("{} has to override resume()", slf.get_type())))
    }

    /// Called when the context ceases to be active.
    fn pause(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!("{} has to override pause()", slf.get_type())))
    }

    /// The task that has entered it.
    #[getter]
    fn _active_task(slf: &Bound<'_, Self>) -> Option<Py<AsyncTask>> {
        last(slf.py(), &slf.borrow().entered_by)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(&mut self) {
        self.entered_by.clear();
    }
}

/// A context inside which a task must not wait: a `yield` that would let others run meanwhile fails
/// with an `AssertionError`.
///
/// A subclass that overrides `__enter__` or `__exit__` calls `super()`.
#[pyclass(subclass, module = "asynq.contexts")]
#[derive(Default)]
pub(crate) struct NonAsyncContext {
    entered_by: Vec<Option<Py<AsyncTask>>>,
}

#[pymethods]
impl NonAsyncContext {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<()> {
        if !is_asyncio_mode(slf.py())? {
            let task = enter(slf.as_any());
            slf.borrow_mut().entered_by.push(task);
        }
        Ok(())
    }

    #[pyo3(signature = (typ, val, tb))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        typ: &Bound<'_, PyAny>,
        val: &Bound<'_, PyAny>,
        tb: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (typ, val, tb);
        let py = slf.py();
        if !is_asyncio_mode(py)? {
            let task = leaving(py, &mut slf.borrow_mut().entered_by);
            if let Some(task) = task {
                leave(slf.as_any(), task.bind(py));
            }
        }
        Ok(())
    }

    /// Called when the task would wait: fails.
    fn pause(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(cannot_yield(slf)?)
    }

    /// Like `pause()`.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(cannot_yield(slf)?)
    }

    #[getter]
    fn _active_task(slf: &Bound<'_, Self>) -> Option<Py<AsyncTask>> {
        last(slf.py(), &slf.borrow().entered_by)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(&mut self) {
        self.entered_by.clear();
    }
}

fn cannot_yield(context: &Bound<'_, NonAsyncContext>) -> PyResult<PyErr> {
    let task = NonAsyncContext::_active_task(context);
    let task = match task {
        Some(task) => task.bind(context.py()).str()?.to_string(),
        None => "None".to_owned(),
    };
    Ok(PyAssertionError::new_err(format!(
        "Task {task} cannot yield while {} is active",
        context.str()?
    )))
}

fn last(py: Python<'_>, entered_by: &[Option<Py<AsyncTask>>]) -> Option<Py<AsyncTask>> {
    entered_by.last()?.as_ref().map(|task| task.clone_ref(py))
}

/// Takes out who leaves the context: the running task if it is in it, otherwise the last to enter.
fn leaving(
    py: Python<'_>,
    entered_by: &mut Vec<Option<Py<AsyncTask>>>,
) -> Option<Py<AsyncTask>> {
    let running = active_task(py);
    let place = entered_by.iter().rposition(|task| match (task, &running) {
        (Some(task), Some(running)) => task.is(running),
        (None, None) => true,
        _ => false,
    });
    let place = place.or_else(|| entered_by.len().checked_sub(1))?;
    entered_by.remove(place)
}
