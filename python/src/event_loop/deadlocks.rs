//! Deadlocks on an event loop: tasks that can never go on get an error, whatever else is on its way.

use asynq_engine::{Deadlock, Step, TaskId};
use pyo3::intern;
use pyo3::prelude::*;

use crate::event_loop::call::{AsyncioCall, End};
use crate::event_loop::call_step::end;
use crate::event_loop::host::EventLoop;
use crate::scheduler::deadlock;
use crate::scheduler::drive as steps;
use crate::scheduler::job::Job;
use crate::scheduler::state::Scheduler;

/// Seconds between two searches while something outside may still wake tasks.
const INTERVAL: f64 = 1.0;

/// Breaks the deadlocks, if nothing outside can wake any task. Otherwise lets the loop look for them in a
/// while. Returns whether there are any.
pub(crate) fn look(
    scheduler: &Scheduler,
    event_loop: &EventLoop,
    py: Python<'_>,
) -> PyResult<bool> {
    let step = scheduler.engine().next();
    if !matches!(step, Step::Deadlock(_)) && !event_loop.take_search() {
        event_loop.search_later(py, INTERVAL)?;
        return Ok(false);
    }
    let calls: Vec<TaskId> = {
        let engine = scheduler.engine();
        let is_call = |&id: &TaskId| engine.task(id).is_some_and(|job| job.is_call(py));
        engine.task_ids().filter(is_call).collect()
    };
    let mut any = false;
    for call in calls {
        let report = scheduler.engine().undo_deadlock(call);
        if !report.victims.is_empty() {
            any = true;
            fail(scheduler, py, &report)?;
        }
    }
    Ok(any)
}

fn fail(scheduler: &Scheduler, py: Python<'_>, report: &Deadlock) -> PyResult<()> {
    let is_task =
        |(id, _): &&(TaskId, Vec<_>)| matches!(scheduler.job(py, *id), Some(Job::Task(_)));
    let root = report.waits.iter().find(is_task).map(|&(id, _)| id);
    let name = root
        .map_or_else(|| "a call".to_owned(), |root| deadlock::label(scheduler, py, root.into()));
    let message = deadlock::describe(scheduler, py, &name, report);
    for &victim in &report.victims {
        let call = match scheduler.job(py, victim) {
            Some(Job::Call(call)) => Some(call),
            _ => None,
        };
        match call {
            Some(call) => fail_call(scheduler, call.bind(py), &message),
            None => steps::fail_victim(scheduler, py, victim, &message)?,
        }
    }
    Ok(())
}

fn fail_call(scheduler: &Scheduler, call: &Bound<'_, AsyncioCall>, message: &str) {
    let error = crate::imports::new_error(crate::imports::task_error, call.py(), message);
    end(scheduler, call, End::Failed(error));
}

impl EventLoop {
    /// Lets the loop look for deadlocks in a while, unless it will.
    fn search_later(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        if self.is_search_scheduled() {
            return Ok(());
        }
        let Some(event_loop) = self.get(py) else { return Ok(()) };
        let search = self.searcher(py)?;
        event_loop.call_method1(intern!(py, "call_later"), (seconds, search))?;
        self.set_search_scheduled();
        Ok(())
    }
}
