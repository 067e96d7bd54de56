//! Synchronous calls of async functions.
//!
//! Its code starts at once, as it would if the engine had been asked: a new call has nothing else
//! that could run first. So a call that never has to wait costs neither a task nor a frame.

use pyo3::prelude::*;

use crate::ffi::arguments::{Activation, Arguments};
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
    let none = py.None().into_bound(py);
    let called = match &generator {
        Some(generator) => body::send(generator, &none),
        None => args.call(function).map(Advance::Return),
    };
    // Held until the call has ended, as the generator is.
    let coroutine;
    let started = match called {
        Ok(Advance::Return(value)) if generator.is_none() && is_coroutine(&value) => {
            scheduler.call_stack.set_coroutine(&value);
            coroutine = value;
            body::send(&coroutine, &none)
        }
        called => called,
    };
    if let Ok(Advance::Return(value)) = started {
        return match scheduler.call_stack.pop_unasked() {
            Ok(()) => {
                scheduler.release_batches(py);
                scheduler.end_call();
                if is_suspect(&value) {
                    check_value(function, &value)?;
                }
                Ok(value)
            }
            Err(framed) => finish(py, &scheduler, running, Ok(Advance::Return(value)), framed),
        };
    }
    let framed = !scheduler.call_stack.is_unframed();
    finish(py, &scheduler, running, started, framed)
}

/// Finishes a call that has to wait, has failed, or is known as a task.
#[cold]
fn finish<'py>(
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
        scheduler.end_call();
        ended?;
    }
    FutureBase::outcome(task.as_super()).unwrap_or_else(|| task.call_method0("value"))
}
