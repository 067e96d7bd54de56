//! Functions of sources and loaders that run: what they ask for counts for them, and not for those who wait for them.
//!
//! A function becomes a task of the recording when it first asks for something.

use std::sync::Arc;

use super::logs::{each, is_on};
use super::session::{LoaderKey, Session, key_of};
use super::step::{Place, Step};
use super::tables::{Function, Task};
use super::thread_log::ThreadLog;
use crate::call_stack::Site;

/// Guard of the call or poll of the function of a loader.
pub(crate) struct Calling(bool);

impl Calling {
    /// Notes that the function of a loader runs, for a part that was sent.
    #[inline]
    pub(crate) fn begin(
        part: (u64, impl slotmap::Key),
        function: &'static Site,
        at: Place,
    ) -> Self {
        let is_on = is_on();
        if is_on {
            begin(key_of(part), function, at);
        }
        Self(is_on)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if self.0 {
            each(ThreadLog::end_function);
        }
    }
}

#[cold]
fn begin(part: LoaderKey, function: &'static Site, at: Place) {
    each(|log| {
        let session = Arc::clone(&log.session);
        let known = session
            .state()
            .parts
            .get(&part)
            .and_then(|parts| parts.last())
            .map(|part| (part.batch, part.task));
        // The batch is not recorded: 0 stands for none.
        let (batch, task) = known.unwrap_or_default();
        let task = task.map(|id| Task { id, function, contexts: 0 });
        log.begin_function(Function {
            batch,
            site: function,
            at,
            depth: 0,
            part: Some(part),
            task,
        });
    });
}

impl ThreadLog {
    /// Notes that the flush of a source runs.
    pub(super) fn begin_flush_function(&mut self, batch: u32, function: &'static Site, at: Place) {
        self.begin_function(Function {
            batch,
            site: function,
            at,
            depth: 0,
            part: None,
            task: None,
        });
    }

    fn begin_function(&mut self, function: Function) {
        let depth = self.depth();
        if let Some(Task { id, .. }) = function.task {
            self.push(Step::Run { task: id });
        }
        self.functions.push(Function { depth, ..function });
    }

    /// Notes that the innermost function has returned. One of a loader may go on later.
    pub(super) fn end_function(&mut self) {
        let Some(Function { part, task: Some(Task { id, .. }), .. }) = self.functions.pop() else {
            return;
        };
        self.push(match part {
            Some(_) => Step::Wait { task: id, at: None, needs: Box::default(), any: true },
            None => Step::End { task: id, error: 0 },
        });
    }

    /// Ends the function of the flush of a batch, if it has not returned yet.
    pub(super) fn end_flush_function(&mut self, batch: u32) {
        if self.functions.last().is_some_and(|last| last.batch == batch && last.part.is_none()) {
            self.end_function();
        }
    }

    /// Returns the task of the function that runs, which becomes one.
    pub(super) fn function(&mut self) -> Option<Task> {
        let function = self.functions.last()?;
        if let Some(task) = function.task {
            return Some(task);
        }
        let &Function { batch, site: function, at, part, .. } = function;
        if batch == 0 {
            return None;
        }
        let (id, thread) = (self.new_id(), self.thread());
        self.push(Step::Task {
            id,
            thread,
            function,
            at,
            awaited: None,
            by: None,
            contexts: 0,
            flush: batch,
        });
        self.push(Step::Run { task: id });
        if let Some(part) = part {
            let mut state = self.session.state();
            if let Some(part) = state.parts.get_mut(&part).and_then(|parts| parts.last_mut()) {
                part.task = Some(id);
            }
        }
        let task = Task { id, function, contexts: 0 };
        if let Some(last) = self.functions.last_mut() {
            last.task = Some(task);
        }
        Some(task)
    }

    /// Returns whether a function runs, and no task inside of it.
    pub(super) fn runs_function(&self) -> bool {
        self.functions.last().is_some_and(|last| self.is_idle_from(last.depth))
    }
}

impl ThreadLog {
    /// Returns whether the function of a loader runs, and no task inside of it.
    pub(super) fn runs_part(&self) -> bool {
        self.runs_function() && self.functions.last().is_some_and(|last| last.part.is_some())
    }
}

/// Ends the tasks of functions, whose parts have ended.
pub(super) fn end_tasks(session: &Session, tasks: &[u32]) {
    let mut state = session.state();
    for &task in tasks {
        state.add_step(session.now(), Step::End { task, error: 0 });
    }
}
