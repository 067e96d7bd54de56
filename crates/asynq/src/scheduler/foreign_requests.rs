//! The requests of other executors.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use asynq_engine::{Dependency, TaskId};

use crate::clock;

/// Maximum number of deliveries of wake-ups in one poll by another executor: tasks that wake
/// themselves may wait for something that only that executor can make happen.
const MAX_DELIVERIES: usize = 64;

/// Time after which batches are flushed although tasks can run. An executor has tasks of its own, which may
/// give those of this crate something to do for ever.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The same, after [`MAX_DRIVES`] drives. Queues of futures wake their task after every 32 of them, and should
/// not be flushed half-way: this many drives poll some 300,000 futures.
const SHORT_DELAY: Duration = Duration::from_millis(5);
const MAX_DRIVES: usize = 160;

/// Requests by futures that another executor polls, outside of any task.
#[derive(Default)]
pub(super) struct ForeignRequests {
    /// Root of their frame, while that is on the engine's stack.
    pub(super) root: Cell<Option<TaskId>>,
    pub(super) driving: Cell<bool>,
    /// Number of deliveries of wake-ups since the drive began.
    deliveries: Cell<usize>,
    /// Time of the first drive that did not run all tasks, since a batch was flushed or all were blocked; and
    /// the number of such drives.
    busy: Cell<Option<(Duration, usize)>>,
    /// Requests of the poll that is in progress.
    polled: RefCell<Vec<Dependency>>,
    /// Requests that may not be computed.
    outstanding: RefCell<BTreeSet<Dependency>>,
    /// Number of outstanding requests that makes it worth while to look at each.
    limit: Cell<usize>,
    /// Outstanding requests that the frame does not have yet, in order.
    fresh: RefCell<Vec<Dependency>>,
}

impl ForeignRequests {
    pub(super) fn push(&self, on: Dependency) {
        self.polled.borrow_mut().push(on);
    }

    /// Takes the requests of the poll that has ended.
    pub(super) fn take_polled(&self) -> Vec<Dependency> {
        self.polled.take()
    }

    pub(super) fn count_delivery(&self) {
        self.deliveries.set(self.deliveries.get() + 1);
    }

    pub(super) fn reset_deliveries(&self) {
        self.deliveries.set(0);
    }

    pub(super) fn has_delivered_enough(&self) -> bool {
        self.deliveries.get() > MAX_DELIVERIES
    }

    /// Notes that a batch is flushed, or all tasks are blocked.
    pub(super) fn end_busy(&self) {
        self.busy.set(None);
    }

    /// Notes that a drive ends although tasks can run. Returns whether batches have waited long enough.
    pub(super) fn is_busy_for_long(&self) -> bool {
        let now = clock::now_of_threads();
        let (since, drives) = self.busy.get().unwrap_or((now, 0));
        self.busy.set(Some((since, drives + 1)));
        let time = now.saturating_sub(since);
        time >= MAX_DELAY || (time >= SHORT_DELAY && drives >= MAX_DRIVES)
    }

    /// Adds requests to the outstanding ones. Returns whether any of them is new.
    pub(super) fn register(&self, polled: Vec<Dependency>) -> bool {
        let (mut outstanding, mut fresh) = (self.outstanding.borrow_mut(), self.fresh.borrow_mut());
        let before = fresh.len();
        fresh.extend(polled.into_iter().filter(|&on| outstanding.insert(on)));
        fresh.len() > before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outstanding.borrow().is_empty()
    }

    pub(super) fn outstanding(&self) -> Vec<Dependency> {
        self.outstanding.borrow().iter().copied().collect()
    }

    pub(super) fn take_fresh(&self) -> Vec<Dependency> {
        self.fresh.take()
    }

    /// Gives all outstanding requests to the next frame.
    pub(super) fn refresh(&self) {
        self.fresh.replace(self.outstanding());
    }

    /// Removes computed requests from the front, or everywhere if there are many.
    pub(super) fn remove_computed(&self, is_computed: impl Fn(Dependency) -> bool) {
        let mut outstanding = self.outstanding.borrow_mut();
        while outstanding.first().is_some_and(|&on| is_computed(on)) {
            outstanding.pop_first();
        }
        if outstanding.len() > self.limit.get() {
            outstanding.retain(|&on| !is_computed(on));
            self.limit.set(2 * outstanding.len());
        }
        if outstanding.is_empty() {
            mem::take(&mut *self.fresh.borrow_mut());
        }
    }
}
