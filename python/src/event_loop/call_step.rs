//! Steps of calls: each call is a task of the engine, which waits for the future of the call.

use asynq_engine::{TaskId, Until};
use pyo3::prelude::*;

use crate::event_loop::call::{AsyncioCall, End, Listener};
use crate::event_loop::host::EventLoop;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::imports::internal_error;
use crate::scheduler::job::Job;
use crate::scheduler::register::register;
use crate::scheduler::state::Scheduler;

/// Adds the calls to the engine that were made since the last drive.
pub(crate) fn start_fresh(scheduler: &Scheduler, event_loop: &EventLoop, py: Python<'_>) -> bool {
    let fresh = event_loop.fresh.take();
    if fresh.is_empty() {
        return false;
    }
    let mut engine = scheduler.engine();
    let mut ids = Vec::with_capacity(fresh.len());
    for call in fresh {
        if matches!(call.bind(py).state().end, End::Pending) {
            let id = engine.add_task(Job::Call(call.clone_ref(py)).into());
            call.bind(py).state().engine_id = Some(id);
            ids.push(id);
        }
    }
    // Each goes to the front.
    ids.into_iter().rev().for_each(|id| engine.need(id));
    true
}

/// Makes a call wait for its future, or ends it.
pub(crate) fn run(scheduler: &Scheduler, call: &Bound<'_, AsyncioCall>) {
    let Some(future) = AsyncioCall::future(call) else {
        return end(scheduler, call, End::Cancelled);
    };
    match register(scheduler, &future) {
        Err(error) => end(scheduler, call, End::Failed(error)),
        Ok(on) if on.is_some_and(|on| scheduler.engine().depend(on)) => {
            scheduler.engine().block(Until::All);
        }
        Ok(_) if FutureBase::is_pending(&future) => {
            end(scheduler, call, End::Failed(internal_error()));
        }
        Ok(_) => end(scheduler, call, End::Resolved),
    }
}

/// Ends a call; its listeners are called soon.
pub(crate) fn end(scheduler: &Scheduler, call: &Bound<'_, AsyncioCall>, end: End) {
    let (id, listeners) = {
        let mut state = call.state();
        if !matches!(state.end, End::Pending) {
            return;
        }
        state.end = end;
        (state.engine_id.take(), std::mem::take(&mut state.listeners))
    };
    complete(scheduler, id);
    let Some(event_loop) = scheduler.event_loop() else { return };
    event_loop.pending.set(event_loop.pending.get().saturating_sub(1));
    let mut queue = event_loop.listeners.borrow_mut();
    for listener in listeners {
        queue.push_back((listener, call.clone().into_any().unbind()));
    }
}

/// Calls a listener soon, with `argument`.
pub(crate) fn tell(event_loop: &EventLoop, listener: Listener, argument: &Bound<'_, PyAny>) {
    event_loop.listeners.borrow_mut().push_back((listener, argument.clone().unbind()));
}

fn complete(scheduler: &Scheduler, id: Option<TaskId>) {
    let Some(id) = id else { return };
    let job = scheduler.engine().complete(id);
    drop(job);
}
