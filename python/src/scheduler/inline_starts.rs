//! Inline starts of tasks, as the scheduler notes them.

use asynq_engine::Dependency;
use pyo3::PyErr;

use crate::options;
use crate::scheduler::starts::{Blocked, Start};
use crate::scheduler::state::{Scheduler, Settle};

impl Scheduler {
    /// Returns whether the running task may start so many tasks inline.
    pub(crate) fn starts_inline(&self, count: usize, max_depth: u32) -> bool {
        let engine = self.engine();
        self.event_loop.is_none()
            && self.goes_deeper(max_depth)
            && engine.can_start_inline()
            && engine.task_count() + count < options::max_tasks()
    }

    /// Adds a task that starts others inline. Returns the number of such tasks.
    pub(crate) fn push_start(&self, start: Start, settle: Settle) -> usize {
        self.settle.set(Some(settle));
        let mut starts = self.starts.borrow_mut();
        starts.push(start);
        starts.len()
    }

    /// Counts one more task that the innermost has started.
    pub(crate) fn count_start(&self) {
        if let Some(start) = self.starts.borrow_mut().last_mut() {
            start.started += 1;
        }
    }

    /// Notes that the innermost awaits a task that was started and waits.
    pub(crate) fn add_blocked_start(&self, dependency: Dependency) {
        if let Some(start) = self.starts.borrow_mut().last_mut() {
            start.blocked.push(dependency);
        }
    }

    /// Removes the innermost. Returns the tasks that it has to wait for.
    pub(crate) fn pop_start(&self) -> Blocked {
        let start = {
            let mut starts = self.starts.borrow_mut();
            let start = starts.pop();
            if starts.is_empty() {
                self.settle.set(None);
            }
            start
        };
        start.map(|start| start.blocked).unwrap_or_default()
    }

    /// Returns whether all tasks were started that are awaited by those which start others.
    pub(crate) fn has_started_all(&self) -> bool {
        self.starts.borrow().iter().all(|start| start.started == start.count)
    }

    /// Returns whether tasks may be started inside of those that are being started.
    pub(crate) fn goes_deeper(&self, max_depth: u32) -> bool {
        self.start_depth.get() < max_depth
    }

    /// Returns whether the state is not settled since there were `depth` tasks that start others.
    pub(crate) fn is_starting(&self, depth: usize) -> bool {
        self.starts.borrow().len() >= depth
    }

    /// Brings about the state in which the engine would be without inline starts. To be called before the
    /// state of the engine, or the engine's id of a task, matters.
    #[inline]
    pub(crate) fn settle(&self) {
        if let Some(settle) = self.settle.get() {
            self.settle_by(settle);
        }
    }

    #[cold]
    fn settle_by(&self, settle: Settle) {
        self.settle.set(None);
        let starts = self.starts.take();
        settle(self, starts);
    }

    /// Ends the call by the error of a task that was started inline.
    pub(crate) fn fail_start(&self, error: PyErr) {
        self.start_error.set(Some(Box::new(error)));
    }

    #[inline]
    pub(crate) fn take_start_error(&self) -> Option<PyErr> {
        self.start_error.take().map(|error| *error)
    }
}
