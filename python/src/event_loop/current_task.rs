//! The current task of asyncio while a coroutine of ours runs.
//!
//! `asyncio.timeout()` and its like cancel the current task. So the drive of a loop makes one of our tasks the
//! current one around each step of its coroutine, as asyncio asks of tasks that are not its own.

use pyo3::prelude::*;

use crate::event_loop::cancel;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::imports;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// The current task of an event loop, until this is left.
#[must_use]
pub(crate) struct Current<'py> {
    event_loop: Bound<'py, PyAny>,
    task: Bound<'py, PyAny>,
}

/// Makes a task of ours the current one. Does nothing in a synchronous call: there, it is that of the caller.
pub(crate) fn enter<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
) -> PyResult<Option<Current<'py>>> {
    let py = task.py();
    let event_loop = match scheduler.event_loop() {
        Some(event_loop) if scheduler.is_in_task_of_loop() => event_loop.get(py),
        _ => None,
    };
    let Some(event_loop) = event_loop else { return Ok(None) };
    let known = match &task.state().rare {
        Some(rare) => rare.loop_task.as_ref().map(|known| known.bind(py).clone()),
        None => None,
    };
    let loop_task = if let Some(known) = known {
        known
    } else {
        let made = imports::loop_task(py)?.call1((task, &event_loop))?;
        AsyncTask::no_leaf(task);
        task.state().rare().loop_task = Some(made.clone().unbind());
        made
    };
    imports::enter_task(py)?.call1((&event_loop, &loop_task))?;
    Ok(Some(Current { event_loop, task: loop_task }))
}

impl Current<'_> {
    /// Ends the step of the coroutine.
    pub(crate) fn leave(self) -> PyResult<()> {
        let Self { event_loop, task } = self;
        imports::leave_task(task.py())?.call1((event_loop, task)).map(|_| ())
    }
}

/// Cancels a task on an event loop, and whatever it waits for and nobody else does. Returns `False` if it has
/// ended, or no event loop of this thread runs it.
#[pyfunction]
#[pyo3(signature = (task, msg=None))]
pub(crate) fn cancel_on_event_loop(
    task: &Bound<'_, AsyncTask>,
    msg: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let py = task.py();
    let engine_id = task.as_super().state().engine_id;
    let scheduler = Scheduler::with_loop(task.as_super().header().scheduler_id.get());
    let (Some(scheduler), Some(id)) = (scheduler, engine_id) else { return Ok(false) };
    let Some(event_loop) = scheduler.event_loop() else { return Ok(false) };
    if !FutureBase::is_pending(task.as_super()) {
        return Ok(false);
    }
    let message = msg.map(|message| message.clone().unbind());
    cancel::cancel_task(&scheduler, py, id, message.as_ref())?;
    event_loop.schedule(py)?;
    Ok(true)
}
