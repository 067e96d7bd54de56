//! Requests to cancel calls, and waits for them. The next drive of the loop performs them.

use pyo3::prelude::*;

use crate::event_loop::call::{AsyncioCall, CallWait, Listener, WaitStatus};
use crate::event_loop::call_step::tell;
use crate::event_loop::host::EventLoop;
use crate::event_loop::notify::has_others;
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::scheduler::state::Scheduler;

/// Asks for the cancellation of a call. Returns `false` if it has ended.
pub(crate) fn of_call(call: &Bound<'_, AsyncioCall>, message: Option<Py<PyAny>>) -> PyResult<bool> {
    if AsyncioCall::is_done(call) {
        return Ok(false);
    }
    let before = std::mem::replace(&mut call.state().cancel_message, message);
    drop(before);
    on_loop(call, |event_loop| event_loop.cancels.borrow_mut().push(call.clone().unbind()))?;
    Ok(true)
}

/// Asks for the cancellation of a wait: of the call, if nobody else waits for that. Returns `false` if
/// the call has its outcome.
pub(crate) fn of_wait(wait: &Bound<'_, CallWait>, message: Option<Py<PyAny>>) -> PyResult<bool> {
    let Some(call) = CallWait::call(wait) else { return Ok(false) };
    let is_waiting = wait.state().status == WaitStatus::Waiting;
    let has_outcome = AsyncioCall::is_done(&call)
        || AsyncioCall::future(&call).is_some_and(|future| !FutureBase::is_pending(&future));
    if !is_waiting || has_outcome {
        return Ok(false);
    }
    if !has_others(&call, wait) {
        return of_call(&call, message);
    }
    {
        let mut state = wait.state();
        state.status = WaitStatus::Cancelled;
        state.cancel_message = message;
    }
    remove(&call, wait);
    on_loop(&call, |event_loop| {
        tell(event_loop, Listener::Wait(wait.clone().unbind()), call.as_any());
    })?;
    Ok(true)
}

/// Ends a wait whose coroutine does not wait any more. The call is cancelled if nobody else waits.
pub(crate) fn leave(wait: &Bound<'_, CallWait>) -> PyResult<()> {
    let Some(call) = CallWait::call(wait) else { return Ok(()) };
    let before = std::mem::replace(&mut wait.state().status, WaitStatus::Done);
    if before != WaitStatus::Waiting || AsyncioCall::is_done(&call) {
        return Ok(());
    }
    let is_last = !has_others(&call, wait);
    remove(&call, wait);
    if is_last { of_call(&call, None).map(|_| ()) } else { Ok(()) }
}

fn remove(call: &Bound<'_, AsyncioCall>, wait: &Bound<'_, CallWait>) {
    let removed: Vec<_> = {
        let mut state = call.state();
        let is_it =
            |listener: &mut Listener| matches!(listener, Listener::Wait(own) if own.is(wait));
        state.listeners.extract_if(.., is_it).collect()
    };
    drop(removed);
}

fn on_loop(call: &Bound<'_, AsyncioCall>, act: impl FnOnce(&EventLoop)) -> PyResult<()> {
    let scheduler_id = call.state().scheduler_id;
    let Some(scheduler) = Scheduler::with_loop(scheduler_id) else { return Ok(()) };
    let Some(event_loop) = scheduler.event_loop() else { return Ok(()) };
    act(event_loop);
    event_loop.schedule(call.py())
}
