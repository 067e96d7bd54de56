//! Synchronous calls of async functions.
//!
//! Its code starts at once, as it would if the engine had been asked: a new call has nothing else
//! that could run first. So a call that never has to wait costs neither a task nor a frame.

use pyo3::prelude::*;

use crate::ffi::arguments::{Activation, Arguments};
use crate::ffi::interpreter::attached;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::imports::internal_error;
use crate::scheduler::call_stack::Running;
use crate::scheduler::state::Scheduler;
use crate::scheduler::{drive, frame};
use crate::task::body::{self, Advance};
use crate::task::forgotten::{check_value, is_suspect};
use crate::task::{code, step};

/// Runs a function to its value.
#[inline]
pub(crate) fn run<'py>(
    function: &Bound<'py, PyAny>,
    args: Arguments<'_, 'py>,
    is_generator: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let scheduler = Scheduler::current();
    let generator = if is_generator { Some(args.call(function)?) } else { None };
    let call = Activation::new(function, args, generator.as_ref());
    let running = scheduler.call_stack.push_call(call);
    let called = match &generator {
        Some(generator) => body::start(generator),
        None => args.call(function).map(Advance::Return),
    };
    // Held until the call has ended, as the generator is.
    let coroutine;
    let started = match called {
        Ok(Advance::Return(value)) if generator.is_none() && is_coroutine(&value) => {
            scheduler.call_stack.set_coroutine(&value);
            coroutine = value;
            body::start(&coroutine)
        }
        called => called,
    };
    let (started, framed) = match started {
        Ok(Advance::Return(value)) => match scheduler.call_stack.pop_unasked() {
            Ok(()) => {
                running.forget();
                scheduler.release_batches(py);
                scheduler.end_call(py);
                return if is_suspect(&value) { checked(function, value) } else { Ok(value) };
            }
            Err(framed) => (Ok(Advance::Return(value)), framed),
        },
        started => (started, !scheduler.call_stack.is_unframed()),
    };
    finish(py, &scheduler, running, started, framed)
}

/// Returns a value that may be a pending future, with a warning if it is one.
#[cold]
fn checked<'py>(
    function: &Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    attached(value.py(), || check_value(function, &value))?;
    Ok(value)
}

/// Finishes a call that has to wait, has failed, or is known as a task.
#[cold]
fn finish<'py>(
    py: Python<'py>,
    scheduler: &Scheduler,
    running: Running<'_>,
    started: PyResult<Advance<'py>>,
    framed: bool,
) -> PyResult<Bound<'py, PyAny>> {
    attached(py, || finish_attached(py, scheduler, running, started, framed))
}

fn finish_attached<'py>(
    py: Python<'py>,
    scheduler: &Scheduler,
    running: Running<'_>,
    started: PyResult<Advance<'py>>,
    mut framed: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let task = scheduler.call_stack.task(py)?;
    let task = task.ok_or_else(internal_error)?;
    if !framed && matches!(started, Ok(Advance::Yield(_))) {
        frame::open(scheduler, &task)?;
        framed = true;
    }
    // It may start tasks inline, which have variables of their own.
    let variables = framed.then(|| scheduler.variables.begin_call(py, Some(&task)));
    let outcome = step::go_on(scheduler, &task, started);
    drop(running);
    let ended = match outcome {
        Some(outcome) => code::end(scheduler, &task, outcome),
        None => Ok(()),
    };
    drop(variables);
    if framed {
        ended.and(drive::finish(scheduler, &task, true))?;
    } else {
        scheduler.end_call(py);
        ended?;
    }
    FutureBase::outcome(task.as_super()).unwrap_or_else(|| task.call_method0("value"))
}
