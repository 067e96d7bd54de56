//! One key that was asked for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use super::cell::{BatchCell, BatchHandle, Slot};
use super::error::{BatchError, BatchErrorKind, Failure};
use super::{Batch, Flushable};
use crate::futures::{FutureBase, sealed};
use crate::scheduler::poll::{self, Asking};
use crate::scheduler::{self, Scheduler};

/// One key asked of a [`Source`](super::Source): a future of its value.
///
/// It is part of its batch from when it is made, awaited or not. Dropped before the flush, it still
/// is: the key is asked for, and the value dropped.
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct BatchItem<B: Batch> {
    cell: Rc<BatchCell<B>>,
    index: u32,
}

/// A handle to a batch that asks for nothing.
pub(crate) struct WeakBatch<B: Batch> {
    cell: Weak<BatchCell<B>>,
}

impl<B: Batch> WeakBatch<B> {
    /// Whether this is the batch of an item.
    pub(crate) fn has(&self, item: &BatchItem<B>) -> bool {
        std::ptr::eq(self.cell.as_ptr(), Rc::as_ptr(&item.cell))
    }
}

impl<B: Batch<Value: Clone>> WeakBatch<B> {
    /// Another handle to an item that is not computed, while there is one. Its value is cloned for
    /// all but the last that takes it.
    pub(crate) fn pending_item(&self, index: u32) -> Option<BatchItem<B>> {
        let cell = self.cell.upgrade()?;
        cell.pending(index)?;
        cell.share(index, B::Value::clone);
        Some(BatchItem { cell, index })
    }
}

impl<B: Batch> BatchItem<B> {
    pub(super) fn new(cell: Rc<BatchCell<B>>, key: B::Key) -> Self {
        let index = cell.push(key);
        Self { cell, index }
    }

    /// The batch it belongs to.
    #[must_use]
    pub fn batch(&self) -> BatchHandle<B> {
        BatchHandle { cell: Rc::clone(&self.cell) }
    }

    /// An error of this item, for who awaits it.
    pub(crate) fn error(&self, kind: BatchErrorKind) -> BatchError {
        let stack = scheduler::with(Scheduler::stack).unwrap_or_default();
        BatchError::new(self.cell.name(), self.index, kind, stack)
    }

    pub(crate) fn weak_batch(&self) -> WeakBatch<B> {
        WeakBatch { cell: Rc::downgrade(&self.cell) }
    }

    /// Its place in the batch, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index as usize
    }
}

impl<B: Batch> sealed::Request for BatchItem<B> {
    #[inline]
    fn request(&mut self, &Asking { scheduler, waker }: &Asking<'_>) -> bool {
        let Some(item) = self.cell.pending(self.index) else {
            return false;
        };
        scheduler.engine().depend(item);
        if let Some(waker) = waker {
            self.cell.listen(self.index, |listeners| listeners.wake(waker));
            scheduler.asked_by_foreign(item.into());
        }
        true
    }

    fn take(&mut self) -> Self::Output {
        match self.cell.take(self.index) {
            Slot::Value(value) => Ok(value),
            Slot::Failed(Failure::Panic(error)) => error.throw(),
            Slot::Failed(Failure::Error(kind)) => Err(self.error(kind)),
            Slot::Taken => panic!("an item was polled after its end"),
            Slot::Pending => unreachable!("`request` has waited for it"),
        }
    }
}

impl<B: Batch> Future for BatchItem<B> {
    type Output = Result<B::Value, BatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll::poll(&mut *self, cx)
    }
}

impl<B: Batch> FutureBase for BatchItem<B> {
    fn is_computed(&self) -> bool {
        self.cell.pending(self.index).is_none()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.listen(self.index, |listeners| listeners.call(callback));
    }
}

impl<B: Batch> fmt::Debug for BatchItem<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_computed() { "computed" } else { "pending" };
        write!(f, "BatchItem({} of {}, {state})", self.index, self.cell.name())
    }
}
