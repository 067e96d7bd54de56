//! `AsyncContext` and `NonAsyncContext`: contexts that are paused while other tasks run.

use pyo3::exceptions::{PyAssertionError, PyNotImplementedError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};
use smallvec::SmallVec;

use crate::explain::hooks;
use crate::ffi::gil_cell::{GilCell, HasState, TakeState, has_state};
use crate::ffi::thread_exit;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::frame;
use crate::scheduler::registry::active_task;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Entered};

/// Tasks that have entered a context, the last one last; `None` for code outside of tasks.
type EnteredBy = SmallVec<[Option<Py<AsyncTask>>; 1]>;

/// Enters `context` in the running task; returns the task.
fn enter(context: &Bound<'_, PyAny>) -> PyResult<Option<Py<AsyncTask>>> {
    let py = context.py();
    let scheduler = Scheduler::current();
    let Some(task) = scheduler.call_stack.task(py)? else { return Ok(None) };
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        imports::trace(py, "context_enter", (context,));
    }
    if Switches::on().has(Switches::RECORD) {
        hooks::switches(py, AsyncTask::recorded(&task), context, true);
    }
    if scheduler.call_stack.is_unframed() {
        frame::open(&scheduler, &task)?;
    }
    let Some(id) = scheduler.enter_context(context, &task) else { return Ok(None) };
    let scheduler_id = scheduler.id();
    let entered = Entered { scheduler_id, id, context: context.clone().unbind() };
    task.state().rare().contexts.push(entered);
    Ok(Some(task.unbind()))
}

/// Leaves `context` in `task`.
fn leave(context: &Bound<'_, PyAny>, task: &Bound<'_, AsyncTask>) {
    if Switches::on().has(Switches::DUMP_CONTEXTS) {
        imports::trace(context.py(), "context_leave", (context,));
    }
    if Switches::on().has(Switches::RECORD) {
        hooks::switches(context.py(), AsyncTask::recorded(task), context, false);
    }
    let entered = {
        let mut task = task.state();
        let contexts = &mut task.rare().contexts;
        let place = contexts.iter().rposition(|entered| entered.context.is(context));
        place.map(|place| contexts.remove(place))
    };
    if let Some(entered) = entered {
        Scheduler::leave_context(context.py(), &entered);
        entered.context.drop_ref(context.py());
    }
}

/// Leaves a context in the task that runs.
fn leave_running<T>(context: &Bound<'_, PyAny>, entered_by: &Bound<'_, T>) -> PyResult<()>
where
    T: HasState<State = EnteredBy>,
{
    let py = context.py();
    let running = active_task(py)?;
    let task = leaving(running.as_ref(), &mut entered_by.state());
    if let Some(task) = task {
        leave(context, &task.into_bound(py));
    }
    Ok(())
}

/// Base of contexts that follow the task that enters them: `resume()` is called whenever the task,
/// or what it waits for, goes on, and `pause()` whenever something else runs.
///
/// Subclasses override both. `__enter__` and `__exit__` call them too; a subclass that overrides
/// these calls `super()`.
#[pyclass(frozen, subclass, module = "asynq.contexts")]
#[derive(Default)]
pub(crate) struct AsyncContext(GilCell<EnteredBy>);

has_state!(AsyncContext: EnteredBy);

impl AsyncContext {
    /// Returns whether a task has entered it last, and not code outside of tasks.
    pub(crate) fn is_of_task(slf: &Bound<'_, Self>) -> bool {
        slf.state().last().is_some_and(Option::is_some)
    }
}

#[pymethods]
impl AsyncContext {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// True if it may be active during the flush of a loader, when everybody who waits for that is under
    /// it. A class that measures its own task sets it to False.
    #[classattr]
    const fn in_flushes() -> bool {
        true
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        thread_exit::protect();
        let task = enter(slf.as_any())?;
        slf.state().push(task);
        if let Err(error) = slf.call_method0(intern!(py, "resume")) {
            // It is not entered, so nobody will leave it.
            leave_running(slf.as_any(), slf)?;
            return Err(error);
        }
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
        leave_running(slf.as_any(), slf)?;
        slf.call_method0(intern!(py, "pause")).map(|_| ())
    }

    /// Called when the context becomes active.
    fn resume(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override resume()",
            imports::type_name(slf.as_any())
        )))
    }

    /// Called when the context ceases to be active.
    fn pause(slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err(format!(
            "{} has to override pause()",
            imports::type_name(slf.as_any())
        )))
    }

    /// The task that has entered it.
    #[getter]
    fn _active_task(slf: &Bound<'_, Self>) -> Option<Py<AsyncTask>> {
        last(slf.py(), &slf.state())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(entered_by) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
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

has_state!(NonAsyncContext: EnteredBy);

#[pymethods]
impl NonAsyncContext {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let task = enter(slf.as_any())?;
        slf.state().push(task);
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
        leave_running(slf.as_any(), slf)
    }

    #[classattr]
    const fn in_flushes() -> bool {
        false
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
        last(slf.py(), &slf.state())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(entered_by) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        entered_by.iter().try_for_each(|task| visit.call(task))
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = std::mem::take(&mut *slf.state());
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

/// Removes the task that leaves the context: the running one if it is in it, otherwise the last to
/// enter.
fn leaving(
    running: Option<&Bound<'_, AsyncTask>>,
    entered_by: &mut EnteredBy,
) -> Option<Py<AsyncTask>> {
    let index = entered_by.iter().rposition(|task| match (task, running) {
        (Some(task), Some(running)) => task.is(running),
        (None, None) => true,
        _ => false,
    });
    let index = index.or_else(|| entered_by.len().checked_sub(1))?;
    entered_by.remove(index)
}
