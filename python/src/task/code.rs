//! The code of a task: running it until it waits or ends, and resolving the task.

use pyo3::exceptions::{PyAttributeError, PyGeneratorExit, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::event_loop::current_task::{self, Current};
use crate::explain::hooks;
use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::release;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve_on;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;
use crate::task::body::{self, Advance, Body};
use crate::task::forgotten;

/// Sends a value or an error into the generator or coroutine, or calls the function.
pub(crate) fn send<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    sent: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Advance<'py>> {
    let py = task.py();
    let (is_first, generator, call) = {
        let (flags, mut state) = (task.header(), task.state());
        let steps = flags.steps.get();
        let is_first = steps == 0;
        flags.steps.set(steps.wrapping_add(1));
        flags.running.set(true);
        match &state.body {
            Body::Generator(generator) => (is_first, Some(generator.get().bind(py).clone()), None),
            Body::Call => {
                state.body = Body::Ended;
                (is_first, None, Some(state.args.clone_ref(py)))
            }
            Body::Missing => {
                drop(state);
                return Err(not_initialized(task));
            }
            Body::Ended => (is_first, None, None),
        }
    };
    match (generator, call) {
        (Some(generator), _) => {
            let on_loop = scheduler.event_loop().is_some() && is_coroutine(&generator);
            let current = if on_loop { current_task::enter(scheduler, task)? } else { None };
            let result = match &sent {
                Ok(value) if !is_first && value.is_none() => {
                    match forgotten::check_yield_from(&generator) {
                        Ok(()) => body::send(&generator, value),
                        Err(error) => body::throw(&generator, &error),
                    }
                }
                Ok(value) => body::send(&generator, value),
                Err(error) => body::throw(&generator, error),
            };
            current.map_or(Ok(()), Current::leave).and(result)
        }
        (None, Some(args)) => match sent {
            Ok(_) => match body::call(&AsyncTask::called(task), &args) {
                Ok(Advance::Return(coroutine)) if is_coroutine(&coroutine) => {
                    task.state().body = Body::of_generator(coroutine.clone());
                    body::send(&coroutine, &py.None().into_bound(py))
                }
                called => called,
            },
            Err(error) => Err(error),
        },
        (None, None) => sent.map(|_| Advance::Return(py.None().into_bound(py))),
    }
}

fn not_initialized(task: &Bound<'_, AsyncTask>) -> PyErr {
    PyTypeError::new_err(format!(
        "this task has no generator: {} has to call super().__init__(generator, fn, args, kwargs)",
        imports::type_name(task.as_any())
    ))
}

/// Notes that the code of a task has stopped running, until its next step or at its end.
#[inline]
pub(crate) fn stepped(task: &Bound<'_, AsyncTask>, result: &PyResult<Advance<'_>>) {
    let ended = {
        task.header().running.set(false);
        let mut state = task.state();
        match result {
            Ok(Advance::Yield(_)) => return,
            _ => std::mem::replace(&mut state.body, Body::Ended),
        }
    };
    match ended {
        Body::Generator(generator) if result.is_ok() => generator.release_ended(task.py()),
        ended => ended.release(task.py()),
    }
}

/// Returns the outcome of a task whose code has returned `value`.
fn returned(task: &Bound<'_, AsyncTask>, value: Bound<'_, PyAny>) -> Outcome {
    if forgotten::is_suspect(&value)
        && let Err(warning) = check_returned(task, &value)
    {
        return failure(task.py(), task, &warning);
    }
    Outcome::Value(value.unbind())
}

#[cold]
fn check_returned(task: &Bound<'_, AsyncTask>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    forgotten::check_value(&AsyncTask::called(task), value)
}

/// Returns the outcome of a task whose code has raised `error`.
fn raised(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    // `result(x)` is an exception, so that it works in the middle of an expression.
    if error.is_instance_of::<PyGeneratorExit>(py) {
        let class = error.get_type(py);
        if imports::task_result(py).is_ok_and(|result| class.is(result)) {
            return match error.value(py).getattr(intern!(py, "result")) {
                Ok(value) => Outcome::Value(value.unbind()),
                Err(error) => failure(py, task, &error),
            };
        }
        if !imports::task_cancelled(py).is_ok_and(|cancelled| class.is(cancelled)) {
            return Outcome::Value(py.None());
        }
    }
    if error.is_instance_of::<PyAttributeError>(py)
        && let Some(explained) = forgotten::explain_yield_from(error.value(py))
    {
        explained.set_traceback(py, error.traceback(py));
        return failure(py, task, &explained);
    }
    failure(py, task, error)
}

/// Returns the outcome of a task that fails by `error`. The error keeps the first task that it met.
pub(crate) fn failure(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    let value = error.value(py);
    if !value.hasattr(intern!(py, "_task")).unwrap_or(true) {
        AsyncTask::keep_creators(task);
        // An exception class may have no room for attributes.
        let _ = value.setattr(intern!(py, "_task"), task);
    }
    let outcome = Outcome::from_err(py, error);
    if Switches::on().has(Switches::DUMP_EXCEPTIONS) {
        imports::trace(py, "exception", (value,));
    }
    outcome
}

/// Resolves a task that has ended.
pub(crate) fn end(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    outcome: Outcome,
) -> PyResult<()> {
    let py = task.py();
    let Some(outcome) = end_at_once(scheduler, task, outcome) else { return Ok(()) };
    if Switches::on().has(Switches::DUMP_QUEUED_RESULTS) {
        match &outcome {
            Outcome::Value(value) => imports::trace(py, "queued_result", (task, value)),
            Outcome::Error(failure) => {
                imports::trace(py, "queued_error", (task, &failure.error));
            }
            Outcome::Pending => {}
        }
    }
    if FutureBase::is_pending(task.as_super()) {
        resolve_on(Some(scheduler), task.as_super(), outcome)
    } else {
        outcome.release(py);
        Ok(())
    }
}

/// Resolves a task that nobody watches and that holds nothing but what it waits for. Returns the outcome
/// if it is another one.
#[inline]
fn end_at_once(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    outcome: Outcome,
) -> Option<Outcome> {
    let py = task.py();
    let switches = Switches::on();
    if !switches.none() {
        if switches.has(Switches::RECORD) {
            record_end(task, &outcome);
        }
        if !switches.none_but_record() {
            return Some(outcome);
        }
    }
    if !task.is_exact_instance_of::<AsyncTask>() {
        return Some(outcome);
    }
    let (engine_id, is_leaf, waiting, snapshot) = {
        let mut future = task.as_super().state();
        let mut state = task.state();
        let is_ours = future.engine_id.is_none()
            || task.as_super().header().scheduler_id.get() == scheduler.id();
        let is_plain = future.outcome().is_pending()
            && future.on_computed().is_none()
            && is_ours
            && state.rare.is_none()
            && matches!(state.body, Body::Ended);
        if !is_plain {
            return Some(outcome);
        }
        future.set_outcome(outcome);
        let is_leaf = future.has_leaf_value(py);
        (future.engine_id.take(), is_leaf, state.waiting.take(), state.snapshot.take())
    };
    AsyncTask::resolved(task, is_leaf);
    if let Some(engine_id) = engine_id {
        scheduler.complete_here(py, engine_id);
    }
    release(py, waiting);
    release(py, snapshot.map(Context::into_object));
    None
}

#[cold]
fn record_end(task: &Bound<'_, AsyncTask>, outcome: &Outcome) {
    let error = match outcome {
        Outcome::Error(failure) => Some(PyErr::from_value(failure.error.bind(task.py()).clone())),
        Outcome::Pending | Outcome::Value(_) => None,
    };
    hooks::ends(task.py(), AsyncTask::recorded(task), error.as_ref());
}

/// Returns the outcome of a task whose code has ended; `None` if it has not.
pub(crate) fn ended<'py>(
    task: &Bound<'py, AsyncTask>,
    result: PyResult<Advance<'py>>,
) -> Option<Outcome> {
    match result {
        Ok(Advance::Yield(_)) => None,
        Ok(Advance::Return(value)) => Some(returned(task, value)),
        Err(error) => Some(raised(task.py(), task, &error)),
    }
}
