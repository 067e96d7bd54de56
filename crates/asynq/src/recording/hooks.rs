//! The hooks of the scheduler, which it calls at each step while its thread is recorded.

use std::cell::Cell;

use asynq_engine::{BatchId, ContextId, Dependency, TaskId};
use asynq_explain::Reason;

use super::logs::each;
use super::step::Place;
use crate::call_stack::Site;

thread_local! {
    /// Reason for the requests that are sent now, if it is not that no task can run.
    static REASON: Cell<Option<Reason>> = const { Cell::new(None) };
}

/// Records a task that is requested for the first time.
#[cold]
pub(crate) fn created(task: TaskId, function: &'static Site, at: Place) {
    each(|log| log.create(task, function, at));
}

/// Records that a task runs.
#[cold]
pub(crate) fn runs(task: TaskId) {
    each(|log| log.run(task));
}

/// Records that a task waits.
#[cold]
pub(crate) fn blocks(task: TaskId, on: &[Dependency]) {
    each(|log| log.block(task, on));
}

/// Records the end of a task, with the message of its failure.
#[cold]
pub(crate) fn ends(task: TaskId, failure: Option<&str>) {
    each(|log| log.end(task, failure));
}

/// Notes the place of an await that has to wait.
#[cold]
pub(crate) fn awaited(at: Place) {
    each(|log| log.awaited = Some(at));
}

/// Records the beginning of a synchronous call, which makes so many with those around it.
#[cold]
pub(crate) fn call_begins(root: TaskId, at: Option<Place>, depth: usize) {
    each(|log| log.begin_call(root, at, depth));
}

/// Records the end of a synchronous call inside of so many.
#[cold]
pub(crate) fn call_ends(depth: usize) {
    each(|log| log.end_call(depth));
}

/// Records that the running task enters a context.
#[cold]
pub(crate) fn entered(context: ContextId, name: &str) {
    each(|log| log.enter(context, name));
}

/// Records that a context is left.
#[cold]
pub(crate) fn left(context: ContextId) {
    each(|log| log.leave(context));
}

/// Records the beginning of a flush.
#[cold]
pub(crate) fn flush_begins(batch: BatchId, priority: i64, function: (&'static Site, Place)) {
    each(|log| log.begin_flush(batch, priority, function, REASON.get()));
}

/// Notes that a flush goes on, as a task.
#[cold]
pub(crate) fn flush_deferred() {
    each(super::thread_log::ThreadLog::defer_flush);
}

/// Notes the number of keys that a flush has failed, and its own error.
#[cold]
pub(crate) fn flush_fails(batch: BatchId, failed: usize, error: Option<&str>) {
    each(|log| log.fail_flush(batch, failed, error));
}

/// Records the end of a flush.
#[cold]
pub(crate) fn flush_ends(batch: BatchId) {
    each(|log| log.end_flush(batch));
}

/// Guard of the reason for the requests that are sent until it is dropped.
pub(crate) struct SentFor(Option<Reason>);

impl SentFor {
    /// Requests are sent because their first key has waited for the longest time.
    pub(crate) fn delay() -> Self {
        Self(REASON.replace(Some(Reason::Delay)))
    }

    /// Requests are sent because code asks for them.
    pub(crate) fn asked() -> Self {
        Self(REASON.replace(Some(Reason::Asked)))
    }

    /// Requests are sent because nothing else can run, until [`is_late`](Self::is_late) says something else.
    pub(crate) fn current() -> Self {
        Self(REASON.get())
    }

    /// Says that the deadline of a round has passed.
    pub(crate) fn is_late() {
        REASON.set(Some(Reason::Delay));
    }
}

impl Drop for SentFor {
    fn drop(&mut self) {
        REASON.set(self.0);
    }
}

pub(super) fn reason() -> Option<Reason> {
    REASON.get()
}
