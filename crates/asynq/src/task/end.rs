//! Ends of tasks and promises outside of their own steps: set, cancelled, or dropped.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::thread;

use super::computation::{Body, Computation};
use crate::error::TaskError;
use crate::scheduler;

/// Ends a computation whose body holds the value, or whose value nobody can ask for.
pub(super) fn end<B: ?Sized>(cell: &Computation<B>, failure: Option<TaskError>) {
    cell.set_ended(failure);
    report(cell);
}

/// Ends a computation with `error`. Returns the panic of a destructor of its locals, which find it
/// ended already.
pub(super) fn cancel<B: Body + ?Sized>(
    cell: Pin<&Computation<B>>,
    error: TaskError,
) -> thread::Result<()> {
    cell.set_ended(Some(error));
    let cleared = cell.clear();
    report(&cell);
    cleared
}

/// Tells the scheduler, and then runs the callbacks.
fn report<B: ?Sized>(cell: &Computation<B>) {
    if let Some(id) = cell.id.take() {
        scheduler::try_with(|scheduler| {
            scheduler.finish(id);
            scheduler.report_events();
        });
    }
    cell.run_callbacks();
}

/// Resumes a panic that was caught, unless the thread panics already: two would abort the process.
pub(super) fn resume_panic(result: thread::Result<()>) {
    if let Err(payload) = result
        && !thread::panicking()
    {
        resume_unwind(payload);
    }
}
