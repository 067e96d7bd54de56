//! The handle to a batch.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use asynq_engine::ItemId;

use super::cell::BatchCell;
use super::flush::Batch;
use crate::scheduler::Requester;

/// Handle to a batch of a [`Source`](super::Source), to flush it out of turn, or to cancel it.
pub struct BatchHandle<B: Batch> {
    pub(super) cell: Rc<BatchCell<B::Key, B::Value>>,
}

impl<B: Batch> BatchHandle<B> {
    /// Returns whether the flush has begun, or the batch was cancelled, so that it takes no more items.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        !self.cell.is_open()
    }

    /// Returns whether the batch was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.is_cancelled()
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cell.count()
    }

    /// Returns whether the batch has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flushes the batch now, even if tasks could run. Does nothing to a batch whose flush has begun.
    /// A flush that awaits something is begun, and goes on when an item is awaited.
    ///
    /// # Panics
    ///
    /// If the flush panics when all items have a value or error already.
    pub fn flush(&self) {
        self.cell.flush_now();
    }

    /// Cancels the batch: its items fail with [`BatchErrorKind::Cancelled`]. Does nothing to a batch
    /// whose flush has begun.
    ///
    /// [`BatchErrorKind::Cancelled`]: super::BatchErrorKind::Cancelled
    pub fn cancel(&self) {
        self.cell.cancel();
    }
}

/// # Items by their indices
impl<B: Batch> BatchHandle<B> {
    /// Returns whether all items have a value or an error.
    pub(crate) fn is_ended(&self) -> bool {
        self.cell.is_ended()
    }

    /// Returns whether an item belongs to the batch, and is pending.
    pub(crate) fn has(&self, item: ItemId) -> bool {
        self.cell.pending(item.index) == Some(item)
    }

    /// Returns the next item, as long as the batch takes items.
    #[inline]
    pub(crate) fn next_item(&self) -> Option<ItemId> {
        self.cell.next_item()
    }

    /// Adds an item to the batch, which takes items.
    #[inline]
    pub(crate) fn push(&self, key: B::Key) -> ItemId {
        self.cell.push(key)
    }

    /// Requests the value of an item, which is pending.
    pub(crate) fn request(&self, item: ItemId, requester: &Requester<'_>) -> bool {
        self.cell.request(item, requester)
    }

    /// Calls `callback` when an item that is pending is resolved.
    pub(crate) fn on_computed(&self, item: ItemId, callback: impl FnOnce() + 'static) {
        self.cell.add_callback(item.index, |callbacks| callbacks.add(callback));
    }

    /// Flushes the batch after `delay`, even if tasks can run then.
    pub(crate) fn flush_after(&self, delay: Duration) {
        self.cell.flush_after(delay);
    }
}

impl<B: Batch> Clone for BatchHandle<B> {
    fn clone(&self) -> Self {
        Self { cell: Rc::clone(&self.cell) }
    }
}

impl<B: Batch> fmt::Debug for BatchHandle<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchHandle({:?})", self.cell)
    }
}
