//! The flush of a batch, in whatever way it was asked for.

use asynq_engine::BatchId;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;

use crate::batch::base::BatchBase;
use crate::batch::recorded;
use crate::explain::{answers, log};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::loader::nodes::LoaderBatch;
use crate::scheduler::contexts;
use crate::scheduler::register::defer;
use crate::scheduler::state::Scheduler;

/// Flushes the batch: this is its `_compute()`.
pub(crate) fn flush(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let py = batch.py();
    check_open(batch)?;
    if log::is_on() {
        let scheduler = Scheduler::current();
        recorded::sent(batch, scheduler.id(), scheduler.unsettled_engine().depth());
    }
    let flushed_by = Scheduler::id_among_greenlets();
    let registrations = with_critical_section(batch.as_any(), || {
        if cfg!(Py_GIL_DISABLED) {
            check_open(batch)?; // Another thread may have been faster.
        }
        let mut state = batch.state();
        state.flushing = true;
        state.flushed_by = flushed_by;
        PyResult::Ok(state.registrations.all())
    })?;
    let mut out_of_turn = None;
    for (scheduler_id, engine_id) in registrations {
        out_of_turn = Scheduler::begin_flush(scheduler_id, engine_id).or(out_of_turn);
    }
    let flushed = match out_of_turn {
        None => call_flush(batch),
        Some(engine_id) => flush_out_of_turn(batch, engine_id),
    };
    if flushed.is_ok() && BatchBase::is_in_flight(batch) {
        return defer(batch);
    }
    let unheard = flushed.as_ref().err().and_then(|error| unheard(batch, error));
    let resolved = if BatchBase::is_flushed(batch) {
        // The flush has cancelled the batch, or set its value itself.
        Ok(())
    } else {
        let outcome = match flushed {
            Ok(_) => Outcome::Value(py.None()),
            Err(error) => Outcome::from_err(py, &error),
        };
        resolve(batch.as_super(), outcome)
    };
    batch.state().flushing = false;
    match unheard {
        Some(error) => Err(error),
        None => resolved,
    }
}

fn call_flush<'py>(batch: &Bound<'py, BatchBase>) -> PyResult<Bound<'py, PyAny>> {
    switch_active(batch)?;
    send(batch)
}

/// Lets another batch take the place of this one, which takes no more items.
fn switch_active(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    batch.call_method0(intern!(batch.py(), "_try_switch_active_batch")).map(|_| ())
}

fn send<'py>(batch: &Bound<'py, BatchBase>) -> PyResult<Bound<'py, PyAny>> {
    if answers::are_used() && !batch.is_instance_of::<LoaderBatch>() {
        return imports::flush_with_answers(batch.py())?.call1((batch,));
    }
    batch.call_method0(intern!(batch.py(), "_flush"))
}

/// Flushes a batch that the engine did not choose, under those contexts of the caller that are common
/// to all tasks that wait for the batch.
fn flush_out_of_turn<'py>(
    batch: &Bound<'py, BatchBase>,
    engine_id: BatchId,
) -> PyResult<Bound<'py, PyAny>> {
    let (scheduler, py) = (Scheduler::current(), batch.py());
    let place = scheduler.engine().enter_flush(engine_id);
    let Some(place) = place else { return call_flush(batch) };
    let scope = scheduler.engine().flush_scope(engine_id);
    // Before pauses and resumes, which are code of the user and may load from the same source.
    let switched = switch_active(batch).and_then(|()| contexts::switch_to(&scheduler, py, scope));
    let flushed = switched.and_then(|_| send(batch));
    let switched = contexts::switch_to(&scheduler, py, place.scope());
    scheduler.engine().leave_flush(place);
    switched.and(flushed)
}

/// Checks that a batch can be flushed.
///
/// # Errors
///
/// `BatchingError` if the batch was flushed or cancelled already, is being flushed, or is in flight.
pub(crate) fn check_open(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let message = if BatchBase::is_flushed(batch) {
        "Batch is already flushed or cancelled."
    } else if BatchBase::is_in_flight(batch) {
        "the batch was sent, and its values are on their way: wait for one of its items"
    } else if batch.state().flushing {
        "Batch is being flushed already: its items have no values yet."
    } else {
        return Ok(());
    };
    Err(imports::new_error(imports::batching_error, batch.py(), message))
}

/// Returns the error of a flush if it must not be lost (`KeyboardInterrupt` and the like) and would be,
/// because all items have their values already.
fn unheard(batch: &Bound<'_, BatchBase>, error: &PyErr) -> Option<PyErr> {
    let py = batch.py();
    let takes_it =
        |item: Bound<'_, PyAny>| item.cast::<FutureBase>().is_ok_and(FutureBase::is_pending);
    let heard =
        error.is_instance_of::<PyException>(py) || BatchBase::items(batch).iter().any(takes_it);
    (!heard).then(|| error.clone_ref(py))
}
