//! What happened in a run.

use std::collections::BTreeMap;

use super::program::Outcome;

/// Everything a run has shown, each thing under its name in the program. The n-th batch of a
/// source `db` is `db#n`, the flush task `load` of its flush `load[db#n]`.
#[derive(Debug, Default)]
pub struct Record {
    lines: Vec<String>,
    pub(super) depth: usize,
    /// What the calls from outside returned.
    pub calls: Vec<Outcome>,
    /// Of each task that ended and each promise that was set.
    pub results: BTreeMap<String, Outcome>,
    /// The batches in the order in which they were flushed, with their keys.
    pub flushes: Vec<(String, Vec<i64>)>,
    /// The steps of tasks, in order.
    pub ran: Vec<Ran>,
    /// How deeply calls were nested at most; 1 if no task made one.
    pub max_depth: usize,
    /// How many answers of the engine it took.
    pub steps: usize,
    /// Tasks and promises that have not ended.
    pub tasks_left: usize,
    /// Batches that were not closed.
    pub batches_left: usize,
}

/// One step of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub task: String,
    /// What was active when it went on, the outermost first.
    pub contexts: Vec<String>,
}

impl Record {
    /// One line for each thing that happened, indented by the depth of calls.
    pub fn log(&self) -> String {
        self.lines.concat()
    }

    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        let indent = 2 * self.depth.saturating_sub(1);
        let line = line.as_ref();
        self.lines.push(format!("{:indent$}{line}\n", ""));
    }
}
