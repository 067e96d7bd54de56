//! Resolving a future: its value or error arrives.

use asynq_engine::ItemId;
use pyo3::exceptions::{PyAssertionError, PyException};
use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::base::BatchBase;
use crate::batch::item::BatchItemBase;
use crate::batch::recorded;
use crate::explain::log;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::kind_cast::as_item;
use crate::ffi::thread_exit;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::loader::load::Load;
use crate::loader::nodes::LoaderBatch;
use crate::loader::outcomes::outcome_of_cached;
use crate::options::Switches;
use crate::overrides::overrides;
use crate::recursion::guarded;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;
use crate::task::cleanup;

/// Gives a future its value or error, and wakes the tasks that wait for it.
///
/// # Errors
///
/// `FutureIsAlreadyComputed` if it has a value or an error; whatever an override of `_computed`, the
/// cleanup of the future or an interrupt in a subscriber raises.
pub(crate) fn resolve(future: &Bound<'_, FutureBase>, outcome: Outcome) -> PyResult<()> {
    resolve_on(None, future, outcome)
}

/// Resolves a future, with the scheduler of this thread at hand.
pub(crate) fn resolve_on(
    scheduler: Option<&Scheduler>,
    future: &Bound<'_, FutureBase>,
    outcome: Outcome,
) -> PyResult<()> {
    let (engine_id, is_leaf) = {
        let mut state = future.state();
        if !state.outcome().is_pending() {
            drop(state);
            return Err(already_computed(future));
        }
        state.set_outcome(outcome);
        (state.engine_id.take(), state.has_leaf_value(future.py()))
    };
    let (kind, scheduler_id) = (future.header().kind, future.header().scheduler_id.get());
    let py = future.py();
    if let Some(item) = as_item(future) {
        return item_resolved(item);
    }
    if kind == Kind::Task {
        AsyncTask::resolved(future.cast::<AsyncTask>()?, is_leaf);
    }
    // Before any code of the user: whatever that does, the tasks that wait go on.
    if let Some(engine_id) = engine_id {
        match scheduler {
            Some(scheduler) if scheduler.id() == scheduler_id => {
                scheduler.complete_here(py, engine_id);
            }
            _ => Scheduler::complete(py, scheduler_id, engine_id),
        }
    }
    clean_up(future)
}

/// Tells everybody of an item that was just resolved.
fn item_resolved(item: &Bound<'_, BatchItemBase>) -> PyResult<()> {
    let load = item.cast_exact::<Load>().ok();
    if !load.is_some_and(Load::is_leaf) {
        BatchItemBase::resume_tracking(item);
    }
    wake_waiters(item);
    // Nobody asks a load for its batch afterwards, and it would keep the batch alive.
    let batch = load.and_then(|_| item.state().batch.take());
    let cleaned = clean_up(item.as_super());
    let Some(batch) = batch else { return cleaned };
    let ended = match (load, batch.bind(item.py()).cast::<LoaderBatch>()) {
        (Some(load), Ok(batch)) => end_load(load, batch),
        _ => Ok(()),
    };
    cleaned.and(ended)
}

/// Gives a pending item that nobody watches its value. Returns `false`, and does nothing, if it is another
/// one.
#[inline]
pub(crate) fn is_resolved_at_once<'py>(
    item: &Bound<'py, BatchItemBase>,
    value: Bound<'py, PyAny>,
) -> bool {
    let future = item.as_super();
    let is_watched = !Switches::on().none_but_record()
        || item.is_exact_instance_of::<Load>()
        || overrides::<FutureBase>(item.as_any(), intern!(item.py(), "_computed"));
    if is_watched {
        return false;
    }
    {
        let mut state = future.state();
        if !state.outcome().is_pending() || state.on_computed().is_some() {
            return false;
        }
        state.set_outcome(Outcome::Value(value.unbind()));
    }
    BatchItemBase::resume_tracking(item);
    wake_waiters(item);
    true
}

/// Tells the schedulers that know the batch of an item that the item is resolved.
fn wake_waiters(item: &Bound<'_, BatchItemBase>) {
    let py = item.py();
    let (only, all, index) = {
        let state = item.state();
        let (Some(batch), Some(index)) = (&state.batch, item.header().ordinal()) else { return };
        let batch = batch.bind(py).state();
        let only = batch.registrations.only_with_item(index);
        let all = if only.is_none() { Some(batch.registrations.with_item(index)) } else { None };
        (only, all, index)
    };
    for (scheduler_id, batch) in only.into_iter().chain(all.into_iter().flatten()) {
        Scheduler::complete_item(py, scheduler_id, ItemId { batch, index });
    }
}

fn clean_up(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    if future.is_exact_instance_of::<AsyncTask>() || future.is_exact_instance_of::<Load>() {
        after_resolve(future)
    } else if overrides::<FutureBase>(future.as_any(), intern!(future.py(), "_computed")) {
        future.call_method0(intern!(future.py(), "_computed")).map(|_| ())
    } else {
        after_resolve(future)
    }
}

/// Tells its batch of a load that was just resolved.
fn end_load(load: &Bound<'_, Load>, batch: &Bound<'_, LoaderBatch>) -> PyResult<()> {
    let (slot, end_load) = (load.state().slot, batch.state().end_load);
    end_load(batch, slot)
}

/// Cleans up after a future that was just resolved, and calls its subscribers.
pub(crate) fn after_resolve(future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let hook = future.state().on_computed().map(|hook| hook.clone_ref(py));
    let finished = match future.header().kind {
        Kind::Task => {
            let task = future.cast::<AsyncTask>()?;
            let released = cleanup::release(task);
            if cleanup::is_flush_task(task) {
                released.and(guarded(|| end_flush(task)))
            } else {
                released
            }
        }
        // A batch may be an item of another.
        Kind::Batch => {
            thread_exit::protect();
            let batch = future.cast::<BatchBase>()?;
            let resolved = guarded(|| resolve_items(batch));
            if log::is_on() {
                recorded::answered(batch);
            }
            resolved
        }
        Kind::Item | Kind::Plain | Kind::Lazy | Kind::Constant | Kind::Foreign => Ok(()),
    };
    if Switches::on().has(Switches::DUMP_COMPUTED) {
        imports::trace(py, "computed", (future,));
    }
    if let Some(hook) = hook {
        thread_exit::protect();
        // Whatever a subscriber does, the others are told, and whoever waits goes on.
        if let Err(error) = hook.call_method1(py, intern!(py, "safe_trigger"), (future,)) {
            if !error.is_instance_of::<PyException>(py) {
                return Err(error);
            }
            imports::trace(py, "callback_failed", (error.value(py),));
        }
    }
    finished
}

/// Resolves the items that a flush task leaves without a value or error, if `task` is one.
fn end_flush(task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let batch = task.state().rare.as_mut().and_then(|rare| rare.flushes.take());
    let Some(batch) = batch.map(|batch| batch.into_bound(py)) else { return Ok(()) };
    if !FutureBase::is_pending(&batch) {
        return Ok(());
    }
    let outcome = match FutureBase::outcome(task.as_super()) {
        Some(Err(error)) => Outcome::from_err(py, &error),
        _ => Outcome::Value(py.None()),
    };
    resolve(&batch, outcome)
}

/// Resolves every pending item of a batch that was flushed or cancelled.
pub(crate) fn resolve_items(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let py = batch.py();
    let mut result = batch.call_method0(intern!(py, "_try_switch_active_batch")).map(|_| ());
    let error = match FutureBase::outcome(batch.as_super()) {
        Some(Err(error)) => Some(error),
        _ => None,
    };
    if error.is_some() && overrides::<BatchBase>(batch.as_any(), intern!(py, "_cancel")) {
        result = result.and(batch.call_method0(intern!(py, "_cancel")).map(|_| ()));
    }
    let items = BatchBase::items(batch);
    let mut index = 0;
    // By index: a subscriber may change the list.
    while let Ok(item) = items.get_item(index) {
        index += 1;
        let Ok(item) = item.cast::<FutureBase>() else { continue };
        if !FutureBase::is_pending(item) {
            continue;
        }
        let cached = item.cast_exact::<Load>().ok().and_then(Load::take_cached_value);
        if let Some(cached) = cached {
            result =
                result.and(outcome_of_cached(&cached).and_then(|outcome| resolve(item, outcome)));
        } else {
            let outcome = match &error {
                Some(error) => Outcome::from_err(py, error),
                None => Outcome::from_err(py, &left_out()),
            };
            result = result.and(resolve(item, outcome));
        }
    }
    let registrations = std::mem::take(&mut batch.state().registrations);
    for (scheduler_id, engine_id) in registrations.all() {
        Scheduler::close(scheduler_id, engine_id);
    }
    if let Ok(batch) = batch.cast::<LoaderBatch>() {
        Scheduler::release_batch(batch);
    }
    result
}

fn left_out() -> PyErr {
    PyAssertionError::new_err("Value of this item wasn't set on batch flush.")
}

fn already_computed(future: &Bound<'_, FutureBase>) -> PyErr {
    match imports::already_computed(future.py()) {
        Ok(class) => PyErr::from_type(class.clone(), (future.clone().unbind(),)),
        Err(error) => error,
    }
}
