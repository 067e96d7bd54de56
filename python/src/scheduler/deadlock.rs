//! The text of a deadlock: the tasks that can never go on, and what each one waits for.

use std::fmt::Write as _;

use asynq_engine::{Deadlock, Dependency};
use pyo3::prelude::*;

use crate::imports;
use crate::scheduler::job::Job;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;

/// Maximum number of tasks that are named.
const MAX_NAMED: usize = 10;

/// Describes a deadlock: the tasks, and what each one waits for.
pub(crate) fn describe(
    scheduler: &Scheduler,
    py: Python<'_>,
    root: &str,
    report: &Deadlock,
) -> String {
    let mut text = format!("{root} can never get its value (deadlock):");
    if report.waits.is_empty() {
        text.push_str(" it is running, and has made the very call that waits for it");
    }
    let is_call = |id| matches!(scheduler.job(py, id), Some(Job::Call(_)));
    for (task, on) in report.waits.iter().filter(|(id, _)| !is_call(*id)).take(MAX_NAMED) {
        let on: Vec<_> = on.iter().take(MAX_NAMED).map(|&on| label(scheduler, py, on)).collect();
        let on = if on.is_empty() { "nothing that will come".to_owned() } else { on.join(", ") };
        let _ = write!(text, "\n  {} waits for {on}", label(scheduler, py, (*task).into()));
    }
    if report.waits.len() > MAX_NAMED {
        let _ = write!(text, "\n  and {} more", report.waits.len() - MAX_NAMED);
    }
    text
}

/// Returns a name for something that a task waits for.
pub(crate) fn label(scheduler: &Scheduler, py: Python<'_>, on: Dependency) -> String {
    let object = match on {
        Dependency::Task(task) => match scheduler.job(py, task) {
            Some(Job::Task(task)) => Some(task.into_bound(py).into_any()),
            Some(Job::Future(future)) => Some(future.into_bound(py).into_any()),
            Some(Job::Call(_) | Job::Root) | None => None,
        },
        Dependency::Item(item) => {
            scheduler.engine().batch(item.batch).map(|batch| batch.bind(py).clone().into_any())
        }
    };
    object.map_or_else(|| "something that has ended".to_owned(), |object| name(&object))
}

/// Returns a name for a task, its function and arguments; for anything else its class.
pub(crate) fn name(object: &Bound<'_, PyAny>) -> String {
    let py = object.py();
    let named = match object.cast::<AsyncTask>() {
        Ok(task) => imports::describe(py, "task_call", (task,)).and_then(|name| name.extract()),
        Err(_) => Ok(format!("a {}", imports::type_name(object))),
    };
    named.unwrap_or_else(|_| "a task".to_owned())
}
