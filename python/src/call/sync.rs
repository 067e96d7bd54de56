//! Synchronous calls of async functions.
//!
//! Its code starts at once, as it would if the engine had been asked: a new call has nothing else
//! that could run first. So a call that never has to wait costs neither a task nor a frame.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::args::Args;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::imports::internal_error;
use crate::scheduler::call_stack::Running;
use crate::scheduler::state::Scheduler;
use crate::scheduler::{drive, frame};
use crate::task::body::{self, Advance};
use crate::task::step;

/// Runs a function to its value.
pub(crate) fn run<'py>(
    function: &Bound<'py, PyAny>,
    args: &Args,
    kwargs: Option<&Bound<'py, PyDict>>,
    is_generator: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let scheduler = Scheduler::current();
    let (running, started) = if is_generator {
        let generator = args.call(function, kwargs)?;
        let running = scheduler.call_stack.push_call(function, args, kwargs, Some(&generator));
        (running, body::send(&generator, &py.None().into_bound(py)))
    } else {
        let running = scheduler.call_stack.push_call(function, args, kwargs, None);
        match body::call(function, args, kwargs) {
            Ok(Advance::Return(coroutine)) if is_coroutine(&coroutine) => {
                scheduler.call_stack.set_coroutine(&coroutine);
                (running, body::send(&coroutine, &py.None().into_bound(py)))
            }
            called => (running, called),
        }
    };
    if let Ok(Advance::Return(value)) = started {
        return match scheduler.call_stack.pop_unasked() {
            Ok(()) => {
                scheduler.release_batches(py);
                scheduler.end_call();
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
    let outcome = step::go_on(scheduler, &task, started);
    drop(running);
    let ended = match outcome {
        Some(outcome) => step::end(scheduler, &task, outcome),
        None => Ok(()),
    };
    if framed {
        ended.and(drive::finish(scheduler, &task, true))?;
    } else {
        scheduler.end_call();
        ended?;
    }
    FutureBase::outcome(task.as_super()).unwrap_or_else(|| task.call_method0("value"))
}
