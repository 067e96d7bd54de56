//! News for the engine of a scheduler: resolved futures, and flushes of batches.

use asynq_engine::{BatchId, Dependency, ItemId, TaskId};
use pyo3::Python;

use crate::scheduler::greenlets;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::state::Scheduler;

impl Scheduler {
    /// Tells the engine of futures that other threads have resolved.
    #[inline]
    pub(crate) fn read_inbox(&self, py: Python<'_>) {
        for on in self.inbox.take_resolved(py, self.id()) {
            self.computed(py, on);
        }
    }

    fn computed(&self, py: Python<'_>, on: Dependency) {
        match on {
            Dependency::Task(task) => self.complete_here(py, task),
            Dependency::Item(item) => self.engine().complete_item(item),
        }
    }

    /// Tells the engine that a task or promise of this scheduler is resolved.
    #[inline]
    pub(crate) fn complete_here(&self, py: Python<'_>, task: TaskId) {
        let job = self.engine().complete(task);
        if let Some(job) = job {
            job.release(py);
        }
    }

    fn post(py: Python<'_>, scheduler_id: u32, on: Dependency) {
        let of_thread = |scheduler: &Self| {
            scheduler.computed(py, on);
            scheduler.nudge();
        };
        if Self::with_main(scheduler_id, of_thread).is_some() {
            return;
        }
        match Self::at(scheduler_id) {
            Some(scheduler) => {
                scheduler.computed(py, on);
                scheduler.nudge();
            }
            None if scheduler_id == 0 => {}
            None => {
                if let Some(inbox) = Inbox::of(py, scheduler_id) {
                    inbox.post(py, scheduler_id, on);
                }
            }
        }
    }

    /// Wakes this scheduler, which is one of this thread, if it waits: in another greenlet, or below a
    /// signal handler.
    #[inline]
    fn nudge(&self) {
        if let Some(event_loop) = &self.event_loop {
            // A closed loop runs nothing any more.
            Python::attach(|py| _ = event_loop.schedule(py));
        }
        if self.inbox.is_asleep() {
            Python::attach(|py| self.inbox.nudge(py));
        }
    }

    /// Tells the scheduler with this number that a task or promise is resolved.
    pub(crate) fn complete(py: Python<'_>, scheduler_id: u32, task: TaskId) {
        Self::post(py, scheduler_id, task.into());
    }

    /// Tells the scheduler with this number that an item is resolved.
    #[inline]
    pub(crate) fn complete_item(py: Python<'_>, scheduler_id: u32, item: ItemId) {
        Self::post(py, scheduler_id, item.into());
    }

    /// Adds `count` items to a batch. Returns whether the scheduler with this number is that of this
    /// thread.
    pub(crate) fn add_items(scheduler_id: u32, batch: BatchId, count: u32) -> bool {
        let add = |scheduler: &Self| {
            let mut engine = scheduler.unsettled_engine();
            (0..count).for_each(|_| _ = engine.add_item(batch));
        };
        Self::with_main(scheduler_id, add)
            .or_else(|| Self::at(scheduler_id).map(|scheduler| add(&scheduler)))
            .is_some()
    }

    /// Tells the engine that a batch is flushed. Returns the batch if that is out of turn, and the
    /// scheduler is that of this greenlet.
    pub(crate) fn begin_flush(scheduler_id: u32, batch: BatchId) -> Option<BatchId> {
        let scheduler = Self::at(scheduler_id)?;
        let is_out_of_turn = scheduler.engine().begin_flush(batch);
        if greenlets::are_loaded() && Self::current().id() != scheduler_id {
            // The values come from another greenlet.
            scheduler.engine().defer(batch, None);
            return None;
        }
        is_out_of_turn.then_some(batch)
    }

    /// Tells the engine that all items of a batch are resolved.
    pub(crate) fn close(scheduler_id: u32, batch: BatchId) {
        if let Some(scheduler) = Self::at(scheduler_id) {
            let batch = scheduler.engine().close(batch);
            drop(batch);
            scheduler.nudge();
        }
    }
}
