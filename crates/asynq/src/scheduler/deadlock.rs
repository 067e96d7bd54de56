//! What a deadlock report says.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Weak;

use asynq_engine::{Deadlock, Dependency, TaskId};

use crate::scheduler::Scheduler;

/// How many tasks, and how many things that one task waits for, a report names.
const SHOWN: usize = 50;

/// Names the tasks that are stuck, and what each one waits for.
pub(crate) fn describe(scheduler: &Scheduler, root: TaskId, report: &Deadlock) -> String {
    if report.waits.is_empty() {
        return format!(
            "deadlock: {} is running already, and waits for this very call; await it instead",
            name(scheduler, root.into())
        );
    }
    let mut text = if report.victims.is_empty() {
        "deadlock: a synchronous call cannot end, since it waits for what its own caller holds \
         up; await it instead. These tasks cannot go on:"
            .to_owned()
    } else {
        "deadlock: these tasks can never go on:".to_owned()
    };
    for (task, on) in report.waits.iter().take(SHOWN) {
        let mut names: Vec<_> = on.iter().take(SHOWN).map(|&on| name(scheduler, on)).collect();
        if on.len() > SHOWN {
            names.push(format!("{} more", on.len() - SHOWN));
        }
        if names.is_empty() {
            names.push("a future that nobody will wake".to_owned());
        }
        let task = name(scheduler, (*task).into());
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {task}\n    waits for {}", names.join(",\n              "));
    }
    if report.waits.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", report.waits.len() - SHOWN);
    }
    text
}

fn name(scheduler: &Scheduler, on: Dependency) -> String {
    match on {
        Dependency::Task(task) => {
            let task = scheduler.engine().task(task).cloned();
            task.map_or_else(|| "a task that has ended".to_owned(), |task| task.to_string())
        }
        Dependency::Item(item) => {
            let batch = scheduler.engine().batch(item.batch).and_then(Weak::upgrade);
            // The name is the user's code.
            let name = catch_unwind(AssertUnwindSafe(|| batch.map(|batch| batch.name())));
            let name = name.ok().flatten().unwrap_or_else(|| "a batch".to_owned());
            format!("item {} of {name}, which is being flushed", item.index)
        }
    }
}
