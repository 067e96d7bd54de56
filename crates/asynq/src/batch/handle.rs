//! The handle to a batch.

use std::fmt;
use std::rc::Rc;

use super::cell::BatchCell;
use super::flush::Batch;

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
