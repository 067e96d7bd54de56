//! Cancellation: a call that is cancelled cancels what nobody else waits for.

use std::collections::HashSet;

use asynq_engine::{Dependency, Status, TaskId};
use pyo3::prelude::*;

use crate::event_loop::call::{AsyncioCall, End, cancelled_error};
use crate::event_loop::call_step::end;
use crate::event_loop::foreign::Foreign;
use crate::event_loop::host::EventLoop;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::loader::load::Load;
use crate::loader::nodes::LoaderHost;
use crate::scheduler::contexts::set_pending_error;
use crate::scheduler::job::{Job, PackedJob};
use crate::scheduler::state::Scheduler;
use crate::task::async_task::PendingError;

/// Cancels the calls whose cancellation was asked for since the last drive.
///
/// # Errors
///
/// An error of the code that a cancelled request runs.
pub(crate) fn cancel_calls(
    scheduler: &Scheduler,
    event_loop: &EventLoop,
    py: Python<'_>,
) -> PyResult<()> {
    let mut result = Ok(());
    for call in event_loop.cancels.take() {
        result = result.and(cancel_call(scheduler, event_loop, call.bind(py)));
    }
    result
}

fn cancel_call(
    scheduler: &Scheduler,
    event_loop: &EventLoop,
    call: &Bound<'_, AsyncioCall>,
) -> PyResult<()> {
    if AsyncioCall::is_done(call) {
        return Ok(());
    }
    let future = AsyncioCall::future(call).filter(FutureBase::is_pending);
    let Some(future) = future else {
        end(scheduler, call, End::Cancelled);
        return Ok(());
    };
    let (kind, engine_id) = (future.header().kind, future.state().engine_id);
    let own = call.state().engine_id;
    match (kind, engine_id) {
        (Kind::Item, _) => {
            end(scheduler, call, End::Cancelled);
            match future.cast::<Load>() {
                Ok(load) => give_up(scheduler, load, None),
                Err(_) => Ok(()),
            }
        }
        (Kind::Task | Kind::Foreign, Some(id)) => {
            let others =
                scheduler.engine().is_awaited_by_others(id.into(), own.unwrap_or_default());
            if others {
                end(scheduler, call, End::Cancelled);
                Ok(())
            } else {
                let message =
                    call.state().cancel_message.as_ref().map(|one| one.clone_ref(call.py()));
                cancel_task(scheduler, call.py(), id, message.as_ref())
            }
        }
        (Kind::Task, None) if !is_shared(event_loop, call, &future) => {
            end(scheduler, call, End::Cancelled);
            resolve(&future, cancelled(call.py()))
        }
        _ => {
            end(scheduler, call, End::Cancelled);
            Ok(())
        }
    }
}

fn cancelled(py: Python<'_>) -> Outcome {
    Outcome::from_err(py, &cancelled_error(py, None))
}

/// Returns whether another call that has not begun waits for the same future.
fn is_shared(
    event_loop: &EventLoop,
    call: &Bound<'_, AsyncioCall>,
    future: &Bound<'_, FutureBase>,
) -> bool {
    let fresh = event_loop.fresh.borrow();
    fresh.iter().any(|other| {
        let other = other.bind(call.py());
        !other.is(call) && other.state().future.as_ref().is_some_and(|own| own.is(future))
    })
}

/// Ends the wait of one waiter for a load, and returns what becomes of it: its key is not sent if nobody
/// else waits.
fn give_up(
    scheduler: &Scheduler,
    load: &Bound<'_, Load>,
    waiter: Option<(Dependency, TaskId)>,
) -> PyResult<()> {
    if let Some((on, waiter)) = waiter
        && scheduler.engine().is_awaited_by_others(on, waiter)
    {
        return Ok(()); // They share the load, and may have asked for it only once.
    }
    LoaderHost::give_up(load)
}

/// Cancels a task, and whatever it waits for and nobody else does. The innermost one gets the
/// `CancelledError` first, with the message.
pub(crate) fn cancel_task(
    scheduler: &Scheduler,
    py: Python<'_>,
    task: TaskId,
    message: Option<&Py<PyAny>>,
) -> PyResult<()> {
    let mut result = Ok(());
    let (mut left, mut seen) = (vec![task], HashSet::new());
    while let Some(id) = left.pop() {
        if !seen.insert(id) {
            continue; // A circle, which is reported as a deadlock.
        }
        let (job, status) = {
            let engine = scheduler.engine();
            (engine.task(id).map(|job| job.get(py)), engine.status(id))
        };
        match job {
            Some(Job::Task(_)) => {}
            Some(Job::Future(future)) => {
                if let Ok(foreign) = future.bind(py).cast::<Foreign>() {
                    result = result.and(Foreign::cancel(foreign, message));
                }
                continue;
            }
            Some(Job::Call(_) | Job::Root) | None => continue,
        }
        if status == Some(Status::Blocked) {
            let awaited = Awaited::by(scheduler, py, id);
            left.extend(awaited.own.into_iter().rev());
            for (on, load) in awaited.loads {
                result = result.and(give_up(scheduler, load.bind(py), Some((on, id))));
            }
            if !awaited.has_others {
                continue; // It gets the errors of what it awaits.
            }
        }
        let error = cancelled_error(py, message.map(|message| message.clone_ref(py)));
        set_pending_error(scheduler, py, id, PendingError::Throw(error));
        let mut engine = scheduler.engine();
        engine.interrupt(id);
        engine.wake(id);
    }
    result
}

/// The things that a blocked task waits for.
struct Awaited {
    /// Tasks that nobody else waits for.
    own: Vec<TaskId>,
    loads: Vec<(Dependency, Py<Load>)>,
    /// There is something that is not cancelled with the task.
    has_others: bool,
}

impl Awaited {
    fn by(scheduler: &Scheduler, py: Python<'_>, task: TaskId) -> Self {
        let engine = scheduler.engine();
        let on = engine.dependencies(task);
        let mut awaited = Self { own: Vec::new(), loads: Vec::new(), has_others: on.is_empty() };
        for on in on {
            match on {
                Dependency::Task(other)
                    if is_cancellable(engine.task(other), py)
                        && !engine.is_awaited_by_others(on, task) =>
                {
                    awaited.own.push(other);
                }
                Dependency::Item(item) => {
                    awaited.has_others = true;
                    let batch = engine.batch(item.batch);
                    let load = batch.and_then(|batch| Load::at(batch.bind(py), item.index));
                    awaited.loads.extend(load.map(|load| (on, load.unbind())));
                }
                Dependency::Task(_) => awaited.has_others = true,
            }
        }
        awaited
    }
}

fn is_cancellable(job: Option<&PackedJob>, py: Python<'_>) -> bool {
    match job.map(|job| job.get(py)) {
        Some(Job::Task(_)) => true,
        Some(Job::Future(future)) => future.bind(py).is_instance_of::<Foreign>(),
        _ => false,
    }
}
