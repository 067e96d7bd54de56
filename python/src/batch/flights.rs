//! Flights: flushes whose values arrive after the flush has ended.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::batch::base::{BatchBase, Flight};
use crate::ffi::gil_cell::TakeState;
use crate::ffi::thread_exit;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

fn set(batch: &Bound<'_, BatchBase>, flight: Flight) {
    let before = std::mem::replace(&mut batch.state().flight, flight);
    drop(before);
}

/// Ends the flight of a batch: all its items have their values.
#[pyfunction]
pub(crate) fn complete_flight(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    set(batch, Flight::None);
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

/// Delivers what has arrived; with `wait`, it waits until something has.
pub(crate) fn complete(py: Python<'_>, wait: bool) -> PyResult<()> {
    imports::complete_flights(py)?.call1((wait,)).map(|_| ())
}

/// Says how many flights of this thread `land` has to be called for.
#[pyfunction]
pub(crate) fn set_flight_count(count: usize) {
    Scheduler::current().set_flight_count(count);
}

/// Starts the flight of a batch that is being flushed: its values arrive when `flush_task` has ended,
/// or else from outside.
#[pyfunction]
#[pyo3(signature = (batch, flush_task=None))]
pub(crate) fn start_flight(batch: &Bound<'_, BatchBase>, flush_task: Option<Py<AsyncTask>>) {
    set(batch, flush_task.map_or(Flight::External, Flight::Task));
}

/// Calls `function(*args)` as if `task` had called it, in whatever thread.
#[pyfunction]
#[pyo3(signature = (task, function, *args))]
pub(crate) fn call_for<'py>(
    task: Option<Bound<'py, AsyncTask>>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    thread_exit::protect();
    let Some(task) = task else { return function.call1(args) };
    let scheduler = Scheduler::current();
    let _running = scheduler.call_stack.push_task(&task);
    function.call1(args)
}
