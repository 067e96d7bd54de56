//! The record of a run.

use std::collections::BTreeMap;

use super::program::Outcome;

/// Everything a run has shown, each thing under its name in the program. The n-th batch of a
/// source `db` is `db#n`, the flush task `load` of its flush `load[db#n]`.
#[derive(Debug, Default)]
pub(crate) struct Record {
    lines: Vec<String>,
    pub(super) depth: usize,
    /// The outcomes of the calls from outside.
    pub(crate) calls: Vec<Outcome>,
    /// The outcomes of the tasks that ended and the promises that were set.
    pub(crate) results: BTreeMap<String, Outcome>,
    /// The batches in the order in which they were flushed, with their keys.
    pub(crate) flushes: Vec<(String, Vec<i64>)>,
    /// The steps of tasks, in order.
    pub(crate) ran: Vec<Ran>,
    /// Maximum depth of nested calls; 1 if no task made one.
    pub(crate) max_depth: usize,
    /// Number of steps that the engine answered.
    pub(crate) steps: usize,
    /// Tasks and promises that have not ended.
    pub(crate) tasks_left: usize,
    /// Batches that were not closed.
    pub(crate) batches_left: usize,
}

/// One step of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) task: String,
    /// The contexts that were active when it went on, the outermost first.
    pub(crate) contexts: Vec<String>,
}

impl Record {
    /// One line for each thing that happened, indented by the depth of calls.
    pub(crate) fn log(&self) -> String {
        self.lines.concat()
    }

    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        let indent = 2 * self.depth.saturating_sub(1);
        let line = line.as_ref();
        self.lines.push(format!("{:indent$}{line}\n", ""));
    }
}
