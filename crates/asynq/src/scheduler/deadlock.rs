//! Deadlocks: the failure of their tasks, and the text of the report.

use std::fmt::Write;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Weak;

use asynq_engine::{Deadlock, Dependency, TaskId};

use super::state::Scheduler;
use crate::error::{TaskError, TaskErrorKind};
use crate::task::computation::AnyComputation;
use crate::waiting_calls::Waiting;

/// Maximum number of tasks in a report, and of things that one task waits for.
const SHOWN: usize = 50;

impl Scheduler {
    /// Fails the tasks that the engine has chosen. Returns the error for the call if it has chosen
    /// none.
    pub(super) fn fail_deadlocked(
        &self,
        root: TaskId,
        report: &Deadlock,
        caller: Option<&AnyComputation>,
    ) -> TaskError {
        let message = describe(self, root, report);
        let error = |stack| TaskError::new(TaskErrorKind::Deadlock, message.clone(), stack);
        for &victim in &report.victims {
            let task = self.engine().task(victim).cloned();
            if let Some(task) = task {
                task.fail(error(task.stack()));
            }
        }
        error(caller.map(|caller| caller.stack()).unwrap_or_default())
    }

    /// Returns the error of an executor inside of `caller` that waits for `on`, although nothing in the frame can go on.
    pub(super) fn stuck_executor(
        &self,
        caller: Option<&AnyComputation>,
        on: &[Dependency],
        report: &Deadlock,
    ) -> TaskError {
        let names: Vec<_> = on.iter().take(SHOWN).map(|&on| name(self, on)).collect();
        let inside = caller.map(|caller| caller.as_ref().to_string()).unwrap_or_default();
        let mut text = format!(
            "deadlock: `block_on` inside {inside} waits for {}, which nothing resolves while it holds the thread; await \
             it instead (`.await`)",
            names.join(", ")
        );
        for (task, on) in report.waits.iter().take(SHOWN) {
            describe_wait(&mut text, self, *task, on);
        }
        let stack = caller.map(|caller| caller.stack()).unwrap_or_default();
        TaskError::new(TaskErrorKind::Deadlock, text, stack)
    }
}

/// Names the tasks that are stuck, and the things that each one waits for.
fn describe(scheduler: &Scheduler, root: TaskId, report: &Deadlock) -> String {
    if report.waits.is_empty() {
        return format!(
            "deadlock: {} is running already, and waits for this call of it; await it instead",
            name(scheduler, root.into())
        );
    }
    let mut text = if report.victims.is_empty() {
        "deadlock: a synchronous call waits for a task that is suspended in its own caller; await \
         it instead. These tasks cannot go on:"
            .to_owned()
    } else {
        "deadlock: these tasks can never go on:".to_owned()
    };
    for (task, on) in report.waits.iter().take(SHOWN) {
        describe_wait(&mut text, scheduler, *task, on);
    }
    if report.waits.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", report.waits.len() - SHOWN);
    }
    text
}

/// Names the things that a task waits for, or the innermost of its calls.
fn describe_wait(text: &mut String, scheduler: &Scheduler, task: TaskId, on: &[Dependency]) {
    let mut names: Vec<_> = on.iter().take(SHOWN).map(|&on| name(scheduler, on)).collect();
    if on.len() > SHOWN {
        names.push(format!("{} more", on.len() - SHOWN));
    }
    if names.is_empty() {
        names.push("a future that nobody will wake".to_owned());
    }
    let computation = scheduler.engine().task(task).cloned();
    let Waiting { calls, is_alone } =
        computation.map(|task| scheduler.in_place.waiting(task.waiting())).unwrap_or_default();
    let mut lines = Vec::new();
    let mut awaited = Vec::new();
    for call in calls {
        if is_alone && lines.is_empty() {
            lines.push((call.to_string(), mem::take(&mut names)));
        } else if !awaited.is_empty() {
            lines.push((call.to_string(), mem::take(&mut awaited)));
        }
        if call.is_outermost {
            names.insert(0, call.to_string());
        } else {
            awaited.push(call.to_string());
        }
    }
    lines.push((name(scheduler, task.into()), names));
    for (waiting, on) in lines.iter().rev() {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {waiting}\n    waits for {}", on.join(",\n              "));
    }
}

fn name(scheduler: &Scheduler, on: Dependency) -> String {
    match on {
        Dependency::Task(task) => {
            let task = scheduler.engine().task(task).cloned();
            task.map_or_else(|| "a task that has ended".to_owned(), |task| task.to_string())
        }
        Dependency::Item(item) => {
            let batch = scheduler.engine().batch(item.batch).and_then(Weak::upgrade);
            // The name is code of users.
            let name = catch_unwind(AssertUnwindSafe(|| batch.map(|batch| batch.name())));
            let name = name.ok().flatten().unwrap_or_else(|| "a batch".to_owned());
            format!("item {} of {name}, which is being flushed", item.index)
        }
    }
}
