//! What a deadlock report says.

use std::fmt::Write;
use std::rc::Weak;

use asynq_engine::{Deadlock, Dependency, Engine};

use crate::scheduler::Payloads;

/// How many tasks, and how many things that one task waits for, a report names.
const SHOWN: usize = 50;

/// Names the tasks that are stuck, and what each one waits for.
pub(crate) fn describe(engine: &Engine<Payloads>, report: &Deadlock) -> String {
    if report.waits.is_empty() {
        return "deadlock: what was called is running already, or is set by nobody; await it instead"
            .to_owned();
    }
    let mut text = if report.victims.is_empty() {
        "deadlock: a synchronous call cannot end, since it waits for what its own caller holds up; \
         await the task instead. These tasks cannot go on:"
            .to_owned()
    } else {
        "deadlock: these tasks can never go on:".to_owned()
    };
    for (task, on) in report.waits.iter().take(SHOWN) {
        let mut names: Vec<_> = on.iter().take(SHOWN).map(|&on| name(engine, on)).collect();
        if on.len() > SHOWN {
            names.push(format!("{} more", on.len() - SHOWN));
        }
        if names.is_empty() {
            names.push("a future that nobody will wake".to_owned());
        }
        let task = name(engine, Dependency::Task(*task));
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {task}\n    waits for {}", names.join(",\n              "));
    }
    if report.waits.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", report.waits.len() - SHOWN);
    }
    text
}

fn name(engine: &Engine<Payloads>, on: Dependency) -> String {
    let name = match on {
        Dependency::Task(task) => engine.task(task).map(ToString::to_string),
        Dependency::Item(item) => engine.batch(item.batch).and_then(Weak::upgrade).map(|batch| {
            format!("item {} of {}, which is being flushed", item.index, batch.name())
        }),
    };
    name.unwrap_or_else(|| "something that has ended".to_owned())
}
