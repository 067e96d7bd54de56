//! Unfinished batches of loaders that a scheduler holds.

use pyo3::prelude::*;

use crate::loader::nodes::LoaderBatch;
use crate::scheduler::state::Scheduler;

impl Scheduler {
    /// Holds an open batch until it has ended or the outermost call is over, so that the garbage
    /// collector may pass over its loads. Returns the number of this scheduler, 0 if there is no call.
    pub(crate) fn hold_batch(&self, batch: &Bound<'_, LoaderBatch>) -> u32 {
        if self.call_stack.is_empty() {
            return 0;
        }
        self.held_batches.borrow_mut().insert(batch.as_ptr() as usize, batch.clone().unbind());
        self.id()
    }

    /// Releases a batch that has ended: its loads are resolved, and on the collector's lists again.
    pub(crate) fn release_batch(batch: &Bound<'_, LoaderBatch>) {
        let Some(scheduler) = Self::at(LoaderBatch::take_holder(batch)) else { return };
        let before = scheduler.held_batches.borrow_mut().remove(&(batch.as_ptr() as usize));
        drop(before);
    }

    /// Releases the batches that were held, since the outermost call is over.
    #[inline]
    pub(crate) fn release_batches(&self, py: Python<'_>) {
        if !self.held_batches.borrow().is_empty() {
            self.release_all_batches(py);
        }
    }

    #[cold]
    fn release_all_batches(&self, py: Python<'_>) {
        for batch in self.held_batches.take().into_values() {
            LoaderBatch::released(&batch.into_bound(py));
        }
    }
}
