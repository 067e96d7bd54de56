//! Flushes in flight: their values come later, by a task, or from outside as `asynq.loaders.flights`
//! learns.

use asynq_engine::Dependency;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::batch::base::{self as batch, BatchBase};
use crate::future::base::settle;
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;
use crate::task::step;

/// How the values of a batch arrive.
pub(crate) enum Flight {
    /// With the flush.
    None,
    /// By a task of ours.
    Task(Py<AsyncTask>),
    /// From outside: [`complete`] waits for them.
    External,
}

/// Whether the flush has ended, and the values come later.
pub(crate) fn is_in_flight(batch: &Bound<'_, BatchBase>) -> bool {
    !matches!(batch.get().state().flight, Flight::None)
}

fn set(batch: &Bound<'_, BatchBase>, flight: Flight) {
    let before = std::mem::replace(&mut batch.get().state().flight, flight);
    drop(before);
}

/// All items of a batch in flight have their values.
#[pyfunction]
pub(crate) fn complete_flight(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    set(batch, Flight::None);
    let settled = if batch::is_flushed(batch) {
        Ok(())
    } else {
        settle(batch.as_super(), Outcome::Value(batch.py().None()))
    };
    batch.get().state().flushing = false;
    if !Switches::on().has(Switches::KEEP_DEPENDENCIES) {
        BatchBase::items(batch).call_method0(intern!(batch.py(), "clear"))?;
    }
    settled
}

/// Tells the engine that a batch that it knows is in flight.
pub(crate) fn defer(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let (node, flush_task) = {
        let inner = batch.get().state();
        let flush_task = match &inner.flight {
            Flight::Task(task) => Some(task.bind(batch.py()).clone()),
            Flight::External | Flight::None => None,
        };
        (inner.node, flush_task)
    };
    let Some(node) = node else { return Ok(()) };
    let scheduler = Scheduler::current();
    let flush_task = match &flush_task {
        Some(flush_task) => step::register(&scheduler, flush_task.as_super())?,
        None => None,
    };
    let flush_task = match flush_task {
        Some(Dependency::Task(task)) => Some(task),
        _ => None,
    };
    scheduler.engine().defer(node, flush_task);
    Ok(())
}

/// Delivers what has come; if `wait`, it waits until something has.
pub(crate) fn complete(py: Python<'_>, wait: bool) -> PyResult<()> {
    imports::complete_flights(py)?.call1((wait,)).map(|_| ())
}

/// What comes for the batch is for this thread from now on.
pub(crate) fn adopt(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    imports::adopt(batch.py())?.call1((batch,)).map(|_| ())
}

/// Says how many flights of this thread `land` has to be called for.
#[pyfunction]
pub(crate) fn set_flight_count(count: usize) {
    Scheduler::current().set_flight_count(count);
}

/// In a flush: its values come later, when `flush_task` has ended, or else from outside.
#[pyfunction]
#[pyo3(signature = (batch, flush_task=None))]
pub(crate) fn start_flight(batch: &Bound<'_, BatchBase>, flush_task: Option<Py<AsyncTask>>) {
    set(batch, flush_task.map_or(Flight::External, Flight::Task));
}

/// Calls `function(*args)` as if `task` had called it, in whatever thread: a part of its stack.
#[pyfunction]
#[pyo3(signature = (task, function, *args))]
pub(crate) fn call_for<'py>(
    task: Option<Bound<'py, AsyncTask>>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(task) = task else { return function.call1(args) };
    let scheduler = Scheduler::current();
    scheduler.call_stack.push_task(&task);
    let called = function.call1(args);
    scheduler.call_stack.pop(function.py());
    called
}
