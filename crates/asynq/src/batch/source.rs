//! One thing to ask, and the batch of what was asked of it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::cell::{BatchCell, BatchHandle};
use super::{Batch, BatchItem, Flushable as _};

/// A source of values: what is asked of it one by one goes out in batches.
///
/// A handle: clones ask the same source. It belongs to one thread; give each thread its own, for
/// instance in a `thread_local!`.
pub struct Source<B: Batch> {
    inner: Rc<Inner<B>>,
}

struct Inner<B: Batch> {
    batch: Rc<B>,
    open: RefCell<Option<Rc<BatchCell<B>>>>,
}

impl<B: Batch> Source<B> {
    /// A source that `batch` describes.
    pub fn new(batch: B) -> Self {
        Self { inner: Rc::new(Inner { batch: Rc::new(batch), open: RefCell::new(None) }) }
    }

    /// Asks for one key. The item joins the open batch; the first after a flush opens a new one.
    pub fn item(&self, key: B::Key) -> BatchItem<B> {
        let (batch, ended) = self.open();
        let item = BatchItem::new(batch, key);
        // Not by the end of the block, where a panic has rustc leak what is returned:
        // https://github.com/rust-lang/rust/issues/47949
        drop(ended);
        item
    }

    /// The batch that the next item will join.
    #[must_use]
    pub fn open_batch(&self) -> BatchHandle<B> {
        let (cell, ended) = self.open();
        let batch = BatchHandle { cell };
        drop(ended);
        batch
    }

    /// The open batch, and the one before it if that has just been replaced. The values of that
    /// may call when they are dropped: the caller drops it when it has done its work.
    fn open(&self) -> (Rc<BatchCell<B>>, Option<Rc<BatchCell<B>>>) {
        if let Some(open) = self.inner.open.borrow().as_ref().filter(|open| open.is_open()) {
            return (Rc::clone(open), None);
        }
        // Batches of a source are often alike. A long one may be followed by short ones.
        let room = self.inner.open.borrow().as_ref().map_or(0, |ended| ended.len().min(1024));
        // Asks for the priority, which is user code: nothing is borrowed.
        let batch = BatchCell::open(Rc::clone(&self.inner.batch), room);
        let ended = self.inner.open.replace(Some(Rc::clone(&batch)));
        (batch, ended)
    }
}

impl<B: Batch> Clone for Source<B> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<B: Batch> fmt::Debug for Source<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.inner.batch.name())
    }
}
