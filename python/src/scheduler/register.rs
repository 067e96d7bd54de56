//! Registration: futures, items and batches become known to the engine when they are awaited.

use asynq_engine::{BatchId, Dependency, ItemId, PriorityRule, TaskId};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::batch::base::{Arrival, BatchBase};
use crate::batch::item::BatchItemBase;
use crate::batch::registration::Registration;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::{FutureBase, Kind};
use crate::imports;
use crate::loader::load::Load;
use crate::loader::nodes::LoaderBatch;
use crate::options::{self, Switches};
use crate::overrides::overrides;
use crate::scheduler::deadlock;
use crate::scheduler::job::Job;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Demand, Tracking};

/// Returns the id under which the scheduler knows a future from now on; `None` if it is resolved.
pub(crate) fn register(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
) -> PyResult<Option<Dependency>> {
    scheduler.settle();
    let kind = future.header().kind;
    if kind == Kind::Item {
        return register_pending_item(scheduler, future);
    }
    // Before the state is read, because a look-up may let other threads in: one of them could resolve the future
    // while it is unknown here, and wake nobody.
    let is_promise = kind == Kind::Plain && !computes(future);
    let engine_id = {
        let state = future.state();
        if !state.outcome().is_pending() {
            return Ok(None);
        }
        state.engine_id
    };
    if let Some(engine_id) = engine_id {
        scheduler.check_thread(future.header().scheduler_id.get(), future.as_any())?;
        return Ok(Some(engine_id.into()));
    }
    add(scheduler, future, kind, is_promise).map(|engine_id| Some(engine_id.into()))
}

/// Returns the id of an item, `None` if it is resolved.
fn register_pending_item(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
) -> PyResult<Option<Dependency>> {
    if !FutureBase::is_pending(future) {
        return Ok(None);
    }
    let item = future.cast()?;
    let id = register_item(scheduler, item)?;
    if !FutureBase::is_pending(future) {
        // The registration of its batch has let in another thread, which has resolved the item.
        BatchItemBase::resume_tracking(item);
        return Ok(None);
    }
    Ok(Some(id.into()))
}

/// Adds a task whose code is running already to the engine of this thread.
pub(crate) fn add_running(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> TaskId {
    let engine_id = scheduler.engine().add_task(Job::Task(task.clone().unbind()).into());
    set_engine_id(scheduler, task.as_super(), engine_id);
    engine_id
}

/// Adds a task that nobody has asked for, without a look at the tasks that are being started inline. `None` if
/// there are too many.
pub(crate) fn add_fresh(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> Option<TaskId> {
    if cfg!(Py_GIL_DISABLED) && claim(scheduler, task.as_super()) != scheduler.id() {
        return None;
    }
    let engine_id = {
        let mut engine = scheduler.unsettled_engine();
        if engine.task_count() >= options::max_tasks() {
            return None;
        }
        engine.add_task(Job::Task(task.clone().unbind()).into())
    };
    task.header().demand.set(Demand::Asked);
    set_engine_id(scheduler, task.as_super(), engine_id);
    AsyncTask::pause_tracking(task, Tracking::Paused);
    Some(engine_id)
}

/// Makes a future that no scheduler knows one of this scheduler. Returns the number of its scheduler.
///
/// For builds without the GIL. With it, no other thread comes between the look at the state and the registration.
pub(crate) fn claim(scheduler: &Scheduler, future: &Bound<'_, FutureBase>) -> u32 {
    let _state = future.state(); // So that one thread at a time looks and sets.
    let scheduler_id = &future.header().scheduler_id;
    if scheduler_id.get() == 0 {
        scheduler_id.set(scheduler.id());
    }
    scheduler_id.get()
}

pub(crate) fn set_engine_id(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
    engine_id: TaskId,
) {
    future.header().scheduler_id.set(scheduler.id());
    future.state().engine_id = Some(engine_id);
}

/// Adds a future to the engine of this thread. A promise is one that this thread cannot compute.
pub(crate) fn add(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
    kind: Kind,
    is_promise: bool,
) -> PyResult<TaskId> {
    if cfg!(Py_GIL_DISABLED) {
        scheduler.check_thread(claim(scheduler, future), future.as_any())?;
    }
    let engine_id = {
        let mut engine = scheduler.engine();
        if engine.task_count() >= options::max_tasks() {
            return Err(PyRuntimeError::new_err(format!(
                "Number of scheduled tasks exceeded maximum threshold: {} are alive. If that is \
                 not an endless recursion, raise asynq.debug.options.MAX_TASK_STACK_SIZE",
                engine.task_count()
            )));
        }
        match kind {
            Kind::Task => {
                let task = future.cast::<AsyncTask>()?;
                let flags = task.header();
                if flags.running.get() {
                    drop(engine);
                    return Err(waits_for_itself(task));
                }
                if flags.demand.get() == Demand::Never {
                    flags.demand.set(Demand::Asked);
                }
                engine.add_task(Job::Task(task.clone().unbind()).into())
            }
            _ if is_promise => engine.add_promise(Job::Future(future.clone().unbind()).into()),
            _ => engine.add_task(Job::Future(future.clone().unbind()).into()),
        }
    };
    set_engine_id(scheduler, future, engine_id);
    // Another thread may have resolved it meanwhile, and knew of nobody to tell.
    if cfg!(Py_GIL_DISABLED) && !FutureBase::is_pending(future) {
        scheduler.complete_here(future.py(), engine_id);
    }
    if kind == Kind::Task {
        AsyncTask::pause_tracking(future.cast::<AsyncTask>()?, Tracking::Paused);
    }
    Ok(engine_id)
}

fn waits_for_itself(task: &Bound<'_, AsyncTask>) -> PyErr {
    let name = deadlock::name(task.as_any());
    imports::new_error(
        imports::task_error,
        task.py(),
        format!(
            "{name} is running: it can't be awaited by what it has called, nor in another thread \
             (deadlock)"
        ),
    )
}

/// Returns whether the class of a future says how it is computed.
fn computes(future: &Bound<'_, FutureBase>) -> bool {
    overrides::<FutureBase>(future.as_any(), intern!(future.py(), "_compute"))
}

/// Returns the id of an item, whose batch the scheduler knows from now on.
pub(crate) fn register_item(
    scheduler: &Scheduler,
    item: &Bound<'_, BatchItemBase>,
) -> PyResult<ItemId> {
    let (batch, index) = BatchItemBase::place(item)?;
    let engine_id = register_batch(scheduler, &batch)?;
    hold_item(&batch, item);
    let id = ItemId { batch: engine_id, index };
    #[cfg(Py_GIL_DISABLED)]
    complete_if_resolved(scheduler, item, id);
    Ok(id)
}

/// Notes that an item is awaited.
#[inline]
fn hold_item(batch: &Bound<'_, BatchBase>, item: &Bound<'_, BatchItemBase>) {
    if let Ok(load) = item.cast_exact::<Load>()
        && let Ok(keys) = batch.cast::<LoaderBatch>()
    {
        LoaderBatch::want(keys, load);
    }
    // The engine holds the batch, which holds its items.
    BatchItemBase::pause_tracking(item);
}

/// Tells the engine of an item that another thread has resolved while the engine got to know it.
#[cfg(Py_GIL_DISABLED)]
fn complete_if_resolved(scheduler: &Scheduler, item: &Bound<'_, BatchItemBase>, id: ItemId) {
    if !FutureBase::is_pending(item.as_super()) {
        scheduler.engine().complete_item(id);
    }
}

/// Registers an item that is pending and whose batch takes items. `None` if it is another one, or if that
/// fails.
#[inline]
pub(crate) fn register_open_item(
    scheduler: &Scheduler,
    item: &Bound<'_, BatchItemBase>,
) -> Option<ItemId> {
    if !FutureBase::is_pending(item.as_super()) {
        return None;
    }
    let (batch, index) = BatchItemBase::known_place(item)?;
    if BatchBase::is_flushed(&batch) {
        return None;
    }
    let known = {
        let state = batch.state();
        if state.flushing || !matches!(state.flight, Arrival::None) {
            return None;
        }
        state.registrations.only_with_all(scheduler.id(), state.count)
    };
    let engine_id = match known {
        Some(engine_id) => engine_id,
        None => register_batch(scheduler, &batch).ok()?,
    };
    hold_item(&batch, item);
    let id = ItemId { batch: engine_id, index };
    #[cfg(Py_GIL_DISABLED)]
    complete_if_resolved(scheduler, item, id);
    Some(id)
}

/// Adds a batch to the engine of this scheduler, because one of its items is awaited.
fn register_batch(scheduler: &Scheduler, batch: &Bound<'_, BatchBase>) -> PyResult<BatchId> {
    let (engine_id, registrations, flushing, flushed_by) = {
        let state = batch.state();
        let registrations = &state.registrations;
        let engine_id = registrations.of(scheduler.id());
        (engine_id, registrations.all(), state.flushing, state.flushed_by)
    };
    #[cfg(Py_GIL_DISABLED)]
    let registrations: Vec<_> = registrations.collect();
    if let Some(engine_id) = engine_id {
        // Another thread may have added some.
        add_items(batch);
        return Ok(engine_id);
    }
    let mut is_shared = false;
    #[cfg(Py_GIL_DISABLED)]
    let seen = registrations.iter().copied();
    #[cfg(not(Py_GIL_DISABLED))]
    let seen = registrations;
    for (scheduler_id, _) in seen {
        is_shared = true;
        if !scheduler.is_of_other_greenlet(scheduler_id) {
            scheduler.check_thread(scheduler_id, batch.as_any())?;
        }
    }
    let in_flight = BatchBase::is_in_flight(batch);
    let other_flushes = flushing && scheduler.is_of_other_greenlet(flushed_by);
    if (flushing && !in_flight && !other_flushes) || BatchBase::is_flushed(batch) {
        return Err(imports::new_error(
            imports::batching_error,
            batch.py(),
            "this item can't be awaited: its batch is flushed already, and it got no value yet",
        ));
    }
    if Switches::on().has(Switches::DUMP_SCHEDULE_BATCH) {
        imports::trace(batch.py(), "schedule_batch", (batch,));
    }
    let rule = if overrides::<BatchBase>(batch.as_any(), intern!(batch.py(), "get_priority")) {
        PriorityRule::Ask
    } else {
        PriorityRule::BySize
    };
    let engine_id = {
        // A batch is added in the same way whichever task runs.
        let mut engine = scheduler.unsettled_engine();
        let engine_id = engine.add_batch(batch.clone().unbind(), rule);
        if batch.is_instance_of::<LoaderBatch>() {
            // A task that loads a key does not tell the engine before it waits.
            engine.add_for_others(engine_id);
        } else {
            engine.limit_to_call(engine_id); // As in the original.
        }
        engine_id
    };
    {
        let mut state = batch.state();
        let scheduler_id = scheduler.id();
        #[cfg(Py_GIL_DISABLED)]
        if let Some((other, _)) = state.registrations.all().find(|one| !registrations.contains(one))
        {
            // Another thread has been faster.
            drop(state);
            drop(scheduler.engine().close(engine_id));
            return scheduler.check_thread(other, batch.as_any()).map(|()| engine_id);
        }
        state.registrations.add(Registration { scheduler_id, engine_id, known: 0 });
    }
    add_items(batch);
    if other_flushes && (is_shared || !in_flight) {
        // That greenlet goes on to wait for the values.
        scheduler.engine().begin_flush(engine_id);
        scheduler.engine().defer(engine_id, None);
    } else if in_flight {
        // The call in which its flight started is over.
        scheduler.engine().begin_flush(engine_id);
        if let Ok(keys) = batch.cast::<LoaderBatch>() {
            LoaderBatch::await_flights(keys, &scheduler.inbox);
        }
        defer(batch)?;
    }
    Ok(engine_id)
}

/// Tells the engine of the items of a batch that it does not know, if it knows the batch. Only the
/// thread of the batch can; items that another thread adds are told when they are awaited.
pub(crate) fn add_items(batch: &Bound<'_, BatchBase>) {
    let mut state = batch.state();
    if state.registrations.is_empty() {
        return;
    }
    let count = state.count;
    for registration in state.registrations.iter_mut() {
        let Registration { scheduler_id, engine_id, known } = registration;
        let new = count - *known;
        if new > 0 && Scheduler::add_items(*scheduler_id, *engine_id, new) {
            *known = count;
        }
    }
}

/// Tells the engine that a batch that it knows is in flight.
pub(crate) fn defer(batch: &Bound<'_, BatchBase>) -> PyResult<()> {
    let scheduler = Scheduler::current();
    let (engine_id, flush_task) = {
        let state = batch.state();
        let flush_task = match &state.flight {
            Arrival::Task(task) => Some(task.bind(batch.py()).clone()),
            Arrival::External | Arrival::None => None,
        };
        (state.registrations.of(scheduler.id()), flush_task)
    };
    let Some(engine_id) = engine_id else { return Ok(()) };
    let flush_task = match &flush_task {
        Some(flush_task) => register(&scheduler, flush_task.as_super())?,
        None => None,
    };
    let flush_task = match flush_task {
        Some(Dependency::Task(task)) => Some(task),
        _ => None,
    };
    scheduler.engine().defer(engine_id, flush_task);
    Ok(())
}
