//! Reports of the state of a scheduler.

use std::collections::HashSet;
use std::fmt::Write as _;

use asynq_engine::{Dependency, Status, TaskId};

use crate::scheduler::{self, Scheduler};

/// Formats the state of this thread's scheduler: the tasks that have not ended with their dependencies, and
/// the batches that are not flushed.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let state = AsyncTask::new(async { debug::format_state() }).value();
/// assert!(state.starts_with("asynq: 1 call, 1 task, 0 batches"));
/// ```
#[must_use]
pub fn format_state() -> String {
    scheduler::with(|scheduler| {
        let tasks = scheduler.tasks_in_order();
        let batches: Vec<_> = scheduler.engine().batch_ids().collect();
        let mut text = format!(
            "asynq: {}, {}, {}",
            count(scheduler.engine().depth(), "call", "calls"),
            count(tasks.len(), "task", "tasks"),
            count(batches.len(), "batch", "batches"),
        );
        for task in tasks {
            scheduler.write_task(&mut text, task);
        }
        for id in batches {
            let batch = scheduler.batch_name(id);
            let items = scheduler.count_items(id);
            let flushed = scheduler.engine().is_flushed(id);
            let items = count(items, "item", "items");
            let state = if flushed { ", is being flushed" } else { "" };
            // Writing to a string does not fail.
            let _ = write!(text, "\n  batch {batch}: {items}{state}");
        }
        text
    })
}

/// Prints [`format_state`] on standard error.
pub fn dump_state() {
    eprintln!("{}", format_state());
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

impl Scheduler {
    /// Returns the called tasks and their dependencies, depth first, and then all other tasks.
    fn tasks_in_order(&self) -> Vec<TaskId> {
        let engine = self.engine();
        let (mut seen, mut tasks) = (HashSet::new(), Vec::new());
        let mut rest: Vec<_> = engine.called().chain(engine.task_ids()).collect();
        rest.reverse();
        while let Some(task) = rest.pop() {
            if engine.status(task).is_some() && seen.insert(task) {
                tasks.push(task);
                rest.extend(engine.dependencies(task).into_iter().rev().filter_map(
                    |on| match on {
                        Dependency::Task(task) => Some(task),
                        Dependency::Item(_) => None,
                    },
                ));
            }
        }
        tasks
    }

    fn write_task(&self, text: &mut String, id: TaskId) {
        let (status, on) = {
            let engine = self.engine();
            (engine.status(id), engine.dependencies(id))
        };
        let state = match status {
            Some(Status::New) => ", not asked for",
            Some(Status::Ready) => ", ready",
            Some(Status::Running) => ", runs",
            Some(Status::Blocked) if on.is_empty() => ", waits for something from elsewhere",
            Some(Status::Blocked) => ", waits for",
            Some(Status::Promise) => ", not set",
            None => ", has ended",
        };
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {}{state}", self.task_name(id).in_full());
        for on in on {
            let _ = write!(text, "\n    {}", self.awaited(on));
        }
    }
}
