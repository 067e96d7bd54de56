//! `AsyncContext` and `NonAsyncContext`: what has to be paused while other tasks run.

use asynq_engine::ContextId;
use pyo3::exceptions::{PyAssertionError, PyNotImplementedError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::asyncio_mode::is_asyncio_mode;
use crate::call::sync as call;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::{Scheduler, active_task};
use crate::task::async_task::AsyncTask;

/// Those that have entered a context, the last one last; `None` for code outside of tasks.
type EnteredBy = Vec<Option<Py<AsyncTask>>>;

/// A context that a task has entered.
pub(crate) struct Entered {
    /// Its id in the engine.
    pub(crate) id: ContextId,
    pub(crate) context: Py<PyAny>,
}

/// The running task enters `context`; returns the task.
fn enter(context: &Bound<'_, PyAny>) -> PyResult<Option<Py<AsyncTask>>> {
    let py = context.py();
    let Some(task) = active_task(py)? else { return Ok(None) };
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        imports::trace(py, "context_enter", (context,));
    }
    let scheduler = Scheduler::current();
    if scheduler.call_stack.is_unframed() {
        call::open_frame(&scheduler, &task)?;
    }
    let Some(id) = scheduler.enter_context(context) else { return Ok(None) };
    let entered = Entered { id, context: context.clone().unbind() };
    task.get().state().rare().contexts.push(entered);
    Ok(Some(task.unbind()))
}

/// `task` leaves `context`.
fn leave(context: &Bound<'_, PyAny>, task: &Bound<'_, AsyncTask>) {
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        imports::trace(context.py(), "context_leave", (context,));
    }
    let entered = {
        let mut task = task.get().state();
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
#[pyclass(frozen, subclass, module = "asynq.contexts")]
#[derive(Default)]
pub(crate) struct AsyncContext(GilCell<EnteredBy>);

impl AsyncContext {
    fn state(&self) -> CellGuard<'_, EnteredBy> {
        self.0.take()
    }
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
            let task = enter(slf.as_any())?;
            slf.get().state().push(task);
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
            let task = leaving(py, &mut slf.get().state());
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
        last(slf.py(), &slf.get().state())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(entered_by) = self.0.try_take() else { return Ok(()) };
        entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *self.state());
        drop(before);
    }
}

/// A context inside which a task must not wait: a `yield` that would let others run meanwhile fails
/// with an `AssertionError`.
///
/// A subclass that overrides `__enter__` or `__exit__` calls `super()`.
#[pyclass(frozen, subclass, module = "asynq.contexts")]
#[derive(Default)]
pub(crate) struct NonAsyncContext(GilCell<EnteredBy>);

impl NonAsyncContext {
    fn state(&self) -> CellGuard<'_, EnteredBy> {
        self.0.take()
    }
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
            let task = enter(slf.as_any())?;
            slf.get().state().push(task);
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
            let task = leaving(py, &mut slf.get().state());
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
        last(slf.py(), &slf.get().state())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(entered_by) = self.0.try_take() else { return Ok(()) };
        entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *self.state());
        drop(before);
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
fn leaving(py: Python<'_>, entered_by: &mut EnteredBy) -> Option<Py<AsyncTask>> {
    let running = active_task(py).ok().flatten();
    let place = entered_by.iter().rposition(|task| match (task, &running) {
        (Some(task), Some(running)) => task.is(running),
        (None, None) => true,
        _ => false,
    });
    let place = place.or_else(|| entered_by.len().checked_sub(1))?;
    entered_by.remove(place)
}
