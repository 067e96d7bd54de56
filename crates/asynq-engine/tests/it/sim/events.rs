//! The engine's own record of a run, in the names of the program.

use asynq_engine::{BatchId, ContextId, Dependency, Event, TaskId};

use super::driver::Driver;
use super::program::{Program, TaskRef};

impl Program {
    /// Calls `root` and tells what the engine recorded, a line for each event.
    pub(crate) fn events(&self, root: TaskRef) -> String {
        let mut driver = Driver::new(self.clone());
        driver.engine.listen(true);
        driver.call(root);
        let mut lines = String::new();
        while let Some(event) = driver.engine.poll_event() {
            lines += &driver.describe(&event);
            lines.push('\n');
        }
        lines
    }
}

impl Driver {
    /// One event. The things it names may have ended, so their ids are looked up in the driver.
    fn describe(&self, event: &Event) -> String {
        match event {
            Event::Created(task) => format!("created {}", self.task_name(*task)),
            Event::Started(task) => format!("started {}", self.task_name(*task)),
            Event::Blocked { task, on } => {
                let on: Vec<_> = on.iter().map(|&on| self.dependency_name(on)).collect();
                format!("blocked {} on [{}]", self.task_name(*task), on.join(", "))
            }
            Event::Woken(task) => format!("woken {}", self.task_name(*task)),
            Event::Continued(task) => format!("continued {}", self.task_name(*task)),
            Event::Finished(task) => format!("finished {}", self.task_name(*task)),
            Event::Paused(context) => format!("paused {}", self.context_name(*context)),
            Event::Resumed(context) => format!("resumed {}", self.context_name(*context)),
            Event::FlushBegan { batch, items } => {
                format!("flush of {} began with {items}", self.batch_name(*batch))
            }
            Event::FlushDeferred(batch) => format!("flush of {} deferred", self.batch_name(*batch)),
            Event::FlushEnded(batch) => format!("flush of {} ended", self.batch_name(*batch)),
            Event::Entered { root, depth } => {
                format!("entered {}, depth {depth}", self.task_name(*root))
            }
            Event::Exited { depth } => format!("exited, depth {depth}"),
            Event::Waited => "waited".into(),
            Event::Deadlocked(victims) => {
                let names: Vec<_> = victims.iter().map(|&task| self.task_name(task)).collect();
                format!("deadlocked [{}]", names.join(", "))
            }
        }
    }

    fn task_name(&self, id: TaskId) -> &str {
        let node = self.nodes.iter().find(|node| node.id == id);
        &node.expect("a task of this driver").name
    }

    fn dependency_name(&self, on: Dependency) -> String {
        match on {
            Dependency::Task(task) => self.task_name(task).into(),
            Dependency::Item(item) => format!("{}[{}]", self.batch_name(item.batch), item.index),
        }
    }

    fn batch_name(&self, id: BatchId) -> &str {
        let batch = self.batches.iter().find(|batch| batch.id == id);
        &batch.expect("a batch of this driver").name
    }

    fn context_name(&self, id: ContextId) -> &str {
        let context = self.contexts.iter().find(|context| context.id == id);
        let spec = context.expect("a context of this driver").spec;
        &self.program.contexts[spec.0].name
    }
}
