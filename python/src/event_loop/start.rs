//! The start of calls: they begin on the event loop that runs.

use std::rc::Rc;

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::event_loop::call::AsyncioCall;
use crate::event_loop::drive::{Driver, Guard};
use crate::event_loop::host::EventLoop;
use crate::ffi::gil_cell::TakeState;
use crate::loader::ask;
use crate::loader::base::LoaderBase;
use crate::scheduler::running::running_loop;
use crate::scheduler::state::{Scheduler, next_id};

/// Number of seconds until something is called that nobody waits for: the loop drops it when it is closed.
const NEVER: f64 = 1e9;

/// Returns the scheduler of an event loop that runs in this thread.
pub(crate) fn scheduler_of(event_loop: &Bound<'_, PyAny>) -> PyResult<Rc<Scheduler>> {
    if let Some(scheduler) = Scheduler::of_loop(event_loop) {
        return Ok(scheduler);
    }
    let py = event_loop.py();
    let id = next_id();
    let reference = PyWeakrefReference::new(event_loop)?.unbind();
    let driver = Bound::new(py, Driver(id))?.into_any();
    let host = EventLoop::new(event_loop, reference.clone_ref(py), driver)?;
    let scheduler = Scheduler::add_loop(event_loop, reference, id, host);
    event_loop.call_method1("call_later", (NEVER, Bound::new(py, Guard(id))?))?;
    Ok(scheduler)
}

/// Begins a call, if an event loop runs in this thread. Returns whether one does.
///
/// # Errors
///
/// If the call cannot begin: `loader` has no such key, the loop is closed.
pub(crate) fn begin(call: &Bound<'_, AsyncioCall>) -> PyResult<bool> {
    let py = call.py();
    if call.state().event_loop.is_some() {
        return Ok(true);
    }
    let Some(event_loop) = running_loop(py)? else { return Ok(false) };
    let scheduler = scheduler_of(&event_loop)?;
    let load = call.state().load.take();
    if let Some((loader, key)) = load {
        let loader = loader.bind(py).cast::<LoaderBase>()?;
        let host = LoaderBase::loop_host(loader, &scheduler)?;
        let load = ask::load(loader, &host, key.bind(py))?;
        call.state().future = Some(load.as_super().as_super().clone().unbind());
    }
    {
        let mut state = call.state();
        state.event_loop = Some(event_loop.unbind());
        state.scheduler_id = scheduler.id();
    }
    let Some(host) = scheduler.event_loop() else { return Ok(false) };
    host.fresh.borrow_mut().push(call.clone().unbind());
    host.pending.set(host.pending.get() + 1);
    host.schedule(py)?;
    Ok(true)
}
