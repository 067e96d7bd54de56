//! The item of a batch: a future of the value of one key.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::cell::BatchCell;
use super::error::{BatchError, BatchErrorKind, BoxError, Failure};
use super::flush::{Admitting, Batch};
use super::handle::BatchHandle;
use super::slot::Slot;
use crate::error::TaskError;
use crate::futures::{FutureBase, joins_as_itself};
use crate::scheduler::{self, Request, Requester, Scheduler};

/// Future of the value of one key of a [`Source`](super::Source).
///
/// An item joins its batch when it is created, whether it is awaited or not. If it is dropped before
/// the flush, its key is still requested, and the value dropped.
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct BatchItem<B: Batch> {
    cell: Rc<BatchCell<B::Key, B::Value>>,
    index: u32,
    /// It has taken its value.
    has_ended: bool,
}

/// Weak handle to an item.
pub(crate) struct WeakItem<B: Batch> {
    cell: Weak<BatchCell<B::Key, B::Value>>,
    index: u32,
}

impl<B: Batch> Default for WeakItem<B> {
    fn default() -> Self {
        Self { cell: Weak::new(), index: 0 }
    }
}

impl<B: Batch> WeakItem<B> {
    /// Creates a handle to the item at `index` of a batch in which duplicates are being found.
    pub(crate) fn new(batch: &Admitting<'_, B>, index: u32) -> Self {
        Self { cell: Rc::downgrade(batch.batch), index }
    }

    /// Sets the value or error of the item, if somebody can await it.
    #[inline]
    pub(crate) fn set_outcome(&self, outcome: Result<B::Value, impl Into<BoxError>>) {
        self.set(match outcome {
            Ok(value) => Slot::Value(value),
            Err(error) => Slot::Failed(Failure::error(error)),
        });
    }

    /// Makes every task that awaits the item panic.
    pub(crate) fn set_panic(&self, panic: TaskError) {
        self.set(Slot::Failed(Failure::Panic(panic)));
    }

    #[inline]
    fn set(&self, slot: Slot<B::Value>) {
        if let Some(cell) = self.cell.upgrade() {
            cell.try_set(self.index, slot);
        }
    }
}

impl<B: Batch<Value: Clone>> WeakItem<B> {
    /// Returns another handle to the item, if it is pending and has a handle. All handles but the
    /// last take a clone of the value.
    pub(crate) fn upgrade(&self) -> Option<BatchItem<B>> {
        let cell = self.cell.upgrade()?;
        cell.pending(self.index)?;
        Some(BatchItem::share(cell, self.index))
    }
}

impl<B: Batch> BatchItem<B> {
    /// Returns the number of the batch among those of its source, and the index of the item in it.
    pub(crate) fn place(&self) -> (u32, u32) {
        (self.cell.number, self.index)
    }
}

impl<B: Batch<Value: Clone>> BatchItem<B> {
    /// Creates another handle to a pending item.
    pub(super) fn share(cell: Rc<BatchCell<B::Key, B::Value>>, index: u32) -> Self {
        cell.add_handle(index, B::Value::clone);
        Self { cell, index, has_ended: false }
    }
}

impl<B: Batch> BatchItem<B> {
    #[inline(always)]
    pub(super) fn new(cell: Rc<BatchCell<B::Key, B::Value>>, key: B::Key) -> Self {
        let index = cell.push(key).index;
        Self { cell, index, has_ended: false }
    }

    /// Returns the batch of the item.
    #[must_use]
    pub fn batch(&self) -> BatchHandle<B> {
        BatchHandle { cell: Rc::clone(&self.cell) }
    }

    /// Creates an error of this item, for the task that awaits it.
    pub(crate) fn error(&self, kind: BatchErrorKind) -> BatchError {
        let stack = scheduler::with(Scheduler::stack).unwrap_or_default();
        BatchError::new(self.cell.name(), self.index, kind, stack)
    }

    /// Returns the error in a slot.
    #[cold]
    fn failure(&self, slot: Slot<B::Value>) -> BatchError {
        match slot {
            Slot::Failed(Failure::Panic(error)) => scheduler::throw(error),
            Slot::Failed(Failure::Error(kind)) => self.error(kind),
            Slot::Taken => panic!(
                "item {} of batch {} was polled after it had returned its value",
                self.index,
                self.cell.name()
            ),
            Slot::Value(_) => unreachable!("it has no error"),
            Slot::Pending | Slot::Duplicate { .. } => {
                unreachable!("the item is awaited before its value is taken")
            }
        }
    }

    /// Flushes the batch of the item after `delay`, even if tasks can run then.
    pub(crate) fn flush_after(&self, delay: Duration) {
        self.cell.flush_after(delay);
    }

    pub(crate) fn downgrade(&self) -> WeakItem<B> {
        WeakItem { cell: Rc::downgrade(&self.cell), index: self.index }
    }

    /// Returns the index of the item in its batch.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index as usize
    }
}

impl<B: Batch> Drop for BatchItem<B> {
    #[inline]
    fn drop(&mut self) {
        if !self.has_ended {
            self.cell.abandon(self.index);
        }
    }
}

impl<B: Batch> Request for BatchItem<B> {
    #[inline]
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        match self.cell.pending(self.index) {
            Some(item) => self.cell.request(item, requester),
            None => false,
        }
    }

    #[inline(always)]
    fn take(&mut self) -> Self::Output {
        self.has_ended = true;
        match self.cell.take(self.index) {
            Slot::Value(value) => Ok(value),
            other => Err(self.failure(other)),
        }
    }
}

impl<B: Batch> Future for BatchItem<B> {
    type Output = Result<B::Value, BatchError>;

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // The value of a resolved item is taken without the scheduler.
        if let Some(item) = this.cell.pending(this.index) {
            let request =
                |this: &mut Self, requester: &Requester<'_>| this.cell.request(item, requester);
            if scheduler::is_pending(this, cx, request) {
                return Poll::Pending;
            }
        }
        Poll::Ready(this.take())
    }
}

impl<B: Batch> FutureBase for BatchItem<B> {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.cell.pending(self.index).is_none()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        if self.is_computed() {
            return callback();
        }
        self.cell.add_callback(self.index, |callbacks| callbacks.add(callback));
    }
}

impl<B: Batch> fmt::Debug for BatchItem<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_computed() { "computed" } else { "pending" };
        write!(f, "BatchItem({} of {}, {state})", self.index, self.cell.name())
    }
}
