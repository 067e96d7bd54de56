//! The frame of a synchronous call, which the engine needs only once there is something to drive.

use asynq_engine::Step;
use pyo3::prelude::*;

use crate::explain::log;
use crate::imports::internal_error;
use crate::scheduler::recorded;
use crate::scheduler::register::add_running;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Opens a frame in the engine for a call that is running already.
pub(crate) fn open(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let root = add_running(scheduler, task);
    if log::is_on() {
        recorded::calls(scheduler, task);
    }
    let mut engine = scheduler.engine();
    engine.enter(root);
    if engine.next() == Step::Run(root) {
        drop(engine);
        scheduler.call_stack.set_framed();
        Ok(())
    } else {
        engine.exit();
        Err(internal_error())
    }
}
