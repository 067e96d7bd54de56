//! Requests for the values of tasks.

use std::pin::Pin;

use asynq_engine::TaskId;

use super::computation::{AnyComputation, Computation};
use crate::recording;
use crate::scheduler::{Requester, Scheduler};

/// Requests the value of a task. Returns whether it is pending.
#[inline]
pub(super) fn request<B: ?Sized>(
    cell: Pin<&Computation<B>>,
    any: impl FnOnce() -> AnyComputation,
    &Requester { scheduler, waker }: &Requester<'_>,
) -> bool {
    if cell.is_computed() {
        return false;
    }
    let id = register(cell, any, scheduler);
    scheduler.engine().depend(id);
    if let Some(waker) = waker {
        cell.add_waker(waker);
        scheduler.register_for_combinator(id.into(), waker);
    }
    true
}

/// Requests the value of a task that nobody has asked for. It is pending.
#[inline]
pub(super) fn request_new<B: ?Sized>(
    cell: Pin<&Computation<B>>,
    any: AnyComputation,
    scheduler: &Scheduler,
) {
    let id = scheduler.engine().depend_on_new(any);
    cell.id.set(Some(id));
    scheduler.report_events();
    if recording::is_on() {
        cell.record_creation(id);
    }
}

/// Returns the id in the engine of a task that has not ended.
#[inline]
pub(super) fn register<B: ?Sized>(
    cell: Pin<&Computation<B>>,
    any: impl FnOnce() -> AnyComputation,
    scheduler: &Scheduler,
) -> TaskId {
    cell.id.get().unwrap_or_else(|| {
        let id = scheduler.engine().add_task(any());
        cell.id.set(Some(id));
        scheduler.report_events();
        if recording::is_on() {
            cell.record_creation(id);
        }
        id
    })
}
