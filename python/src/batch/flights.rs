//! Flights: flushes whose values arrive after the flush has ended.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::batch::base::{Arrival, BatchBase};
use crate::ffi::gil_cell::TakeState;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::options::Switches;
use crate::scheduler::inbox::{Answer, Flight};
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

fn set(batch: &Bound<'_, BatchBase>, flight: Arrival) {
    let before = std::mem::replace(&mut batch.state().flight, flight);
    drop(before);
}

/// Ends the flight of a batch: all its items have their values.
pub(crate) fn complete(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    set(batch, Arrival::None);
    let resolved = if BatchBase::is_flushed(batch) {
        Ok(())
    } else {
        resolve(batch.as_super(), Outcome::Value(batch.py().None()))
    };
    batch.state().flushing = false;
    if !Switches::on().has(Switches::KEEP_DEPENDENCIES) {
        BatchBase::items(batch).call_method0(intern!(batch.py(), "clear"))?;
    }
    resolved
}

/// Delivers the answers that have arrived for this scheduler, and fails the flights that are late.
///
/// # Errors
///
/// The errors of requests. A request that has not finished by then is handled again later.
pub(crate) fn deliver(scheduler: &Scheduler, py: Python<'_>) -> PyResult<()> {
    scheduler.variables.exit(py);
    while let Some((flight, is_late)) = scheduler.inbox.next_flight(py)? {
        let (request, answer) = {
            let state = flight.state();
            let answer = match &state.answer {
                Answer::Value(value) => Some((intern!(py, "deliver"), value.bind(py).clone())),
                Answer::Error(error) => Some((intern!(py, "fail"), error.bind(py).clone())),
                Answer::Pending => None,
            };
            (state.request.as_ref().map(|request| request.bind(py).clone()), answer)
        };
        let Some(request) = request else {
            Flight::finish(&flight);
            continue;
        };
        let handled = match answer {
            Some((method, answer)) if !is_late => request.call_method1(method, (answer,)),
            _ => request.call_method0(intern!(py, "expire")),
        };
        if let Err(error) = handled {
            if Flight::count_failure(&flight) > 1 {
                // It is not the exception of a signal handler, but fails each time.
                let _ = request.call_method1(intern!(py, "fail"), (error.value(py),));
                Flight::finish(&flight);
            }
            return Err(error);
        }
        if !Flight::is_finished(&flight) {
            // A signal handler may have raised where Python has ignored it.
            return Ok(());
        }
    }
    Ok(())
}

/// Starts the flight of a batch that is being flushed: its values arrive when `flush_task` has ended,
/// or else from outside.
pub(crate) fn start(batch: &Bound<'_, BatchBase>, flush_task: Option<&Bound<'_, AsyncTask>>) {
    if let Some(flush_task) = flush_task {
        let before = flush_task.state().rare().flushes.replace(batch.as_super().clone().unbind());
        drop(before);
    }
    let arrival = flush_task.map(|flush_task| Arrival::Task(flush_task.clone().unbind()));
    set(batch, arrival.unwrap_or(Arrival::External));
}

/// Calls `function(*args)` as if `task` had called it, in whatever thread.
#[pyfunction]
#[pyo3(signature = (task, function, *args))]
pub(crate) fn call_for<'py>(
    task: Option<Bound<'py, AsyncTask>>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let scheduler = Scheduler::current();
    let Some(task) = task else { return function.call1(args) };
    let _running = scheduler.call_stack.push_task(&task);
    function.call1(args)
}
