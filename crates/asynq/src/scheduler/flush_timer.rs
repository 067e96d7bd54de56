//! Batches that are flushed at a time, whatever else can run.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use asynq_engine::BatchId;

use super::waker::{TaskWaker, WakeQueue};
use crate::clock::{self, Wait};

/// Batches by the time at which they are due. They have one timer, which is not set anew for a batch
/// that was flushed before its time: most are.
#[derive(Default)]
pub(super) struct FlushTimer {
    /// The time that each batch may wait.
    batches: RefCell<BTreeMap<(Duration, BatchId), Duration>>,
    timer: RefCell<Option<(Duration, Wait)>>,
    /// Waker of no task, which interrupts the loop of the scheduler.
    waker: OnceCell<TaskWaker>,
    /// The timer has fired, or a batch may be due already.
    has_fired: Cell<bool>,
}

impl FlushTimer {
    /// Adds a batch that is due after `delay`.
    pub(super) fn add(&self, batch: BatchId, delay: Duration) {
        if let Some(due) = clock::now_of_threads().checked_add(delay) {
            self.batches.borrow_mut().insert((due, batch), delay);
            self.has_fired.set(self.has_fired.get() || delay.is_zero());
        }
    }

    /// Removes a batch that was due at `now`, with the time that it may wait.
    pub(super) fn pop_due(&self, now: Duration) -> Option<(BatchId, Duration)> {
        let mut batches = self.batches.borrow_mut();
        let first = batches.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, batch), delay) = first.remove_entry();
        Some((batch, delay))
    }

    /// Makes the timer fire when the first batch is due, by a wake-up of no task in `queue`.
    pub(super) fn set(&self, queue: &Arc<WakeQueue>) {
        let first = self.batches.borrow().first_key_value().map(|(&(due, _), _)| due);
        let Some(due) = first.filter(|_| !self.has_fired()) else { return };
        let mut timer = self.timer.borrow_mut();
        if timer.as_ref().is_some_and(|&(fires, _)| fires <= due) {
            return;
        }
        let mut delay = clock::wait_by_thread(due.saturating_sub(clock::now_of_threads()));
        let waker = self.waker.get_or_init(|| TaskWaker::new(queue)).waker();
        if delay.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            self.has_fired.set(true);
        } else {
            *timer = Some((due, delay));
        }
    }

    /// Returns whether the timer will fire.
    pub(super) fn is_set(&self) -> bool {
        self.timer.borrow().is_some()
    }

    /// Notes that the timer has fired.
    pub(super) fn fire(&self) {
        self.timer.take();
        self.has_fired.set(true);
    }

    /// Returns whether batches may be due.
    #[inline]
    pub(super) fn has_fired(&self) -> bool {
        self.has_fired.get()
    }

    /// Makes `has_fired` false, before the batches that are due are flushed.
    pub(super) fn reset(&self) {
        self.has_fired.set(false);
    }
}
