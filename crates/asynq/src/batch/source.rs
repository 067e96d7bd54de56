//! The source of values, and its open batch.

use std::cell::{self, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::cell::{AnySource, BatchCell};
use super::flush::Batch;
use super::handle::BatchHandle;
use super::item::BatchItem;
#[cfg(feature = "explain")]
use super::replay::Replayable;
use crate::recording::{self, Asked};

/// Source of values, which collects the keys that tasks request into batches.
///
/// Clones are handles to the same source. A source belongs to one thread; give each thread its own,
/// for instance in a `thread_local!`.
pub struct Source<B: Batch> {
    inner: Rc<Inner<B>>,
}

type Cell<B> = BatchCell<<B as Batch>::Key, <B as Batch>::Value>;

struct Inner<B: Batch> {
    batch: Rc<B>,
    /// Place where the source was created.
    at: &'static Location<'static>,
    open: RefCell<Option<Rc<Cell<B>>>>,
    /// Number of batches that were opened.
    opened: cell::Cell<u32>,
    /// The source as its batches know it, if its answers can be recorded.
    #[cfg(feature = "explain")]
    replayable: cell::OnceCell<Rc<dyn AnySource<B::Key, B::Value>>>,
}

impl<B: Batch> Source<B> {
    /// Creates a source that `batch` describes.
    #[track_caller]
    pub fn new(batch: B) -> Self {
        Self::new_at(batch, Location::caller())
    }

    /// Creates a source that reports name as created at a place.
    pub(crate) fn new_at(batch: B, at: &'static Location<'static>) -> Self {
        let batch = Rc::new(batch);
        Self {
            inner: Rc::new(Inner {
                batch,
                at,
                open: RefCell::new(None),
                opened: cell::Cell::new(0),
                #[cfg(feature = "explain")]
                replayable: cell::OnceCell::new(),
            }),
        }
    }

    /// Requests one key. The item joins the open batch; the first item after a flush opens a new one.
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn item(&self, key: B::Key) -> BatchItem<B> {
        if recording::is_on() {
            recording::asked(Asked::any(Location::caller(), &key));
        }
        self.item_asked(key)
    }

    /// Requests a key of which recordings know already.
    pub(crate) fn item_asked(&self, key: B::Key) -> BatchItem<B> {
        if let Some(open) = &*self.inner.open.borrow()
            && open.is_open()
        {
            return BatchItem::new(Rc::clone(open), key);
        }
        self.first_item(key)
    }

    /// Requests a key that may be the first of a batch.
    #[cold]
    fn first_item(&self, key: B::Key) -> BatchItem<B> {
        let (batch, ended) = self.open();
        let item = BatchItem::new(batch, key);
        // Dropped before the end of the block, where a panic makes rustc leak the return value:
        // https://github.com/rust-lang/rust/issues/47949
        drop(ended);
        item
    }

    /// Requests the key that `key` returns. No code of users runs after that.
    #[inline]
    pub(crate) fn item_with(&self, key: impl FnOnce() -> B::Key) -> BatchItem<B> {
        loop {
            let (batch, ended) = self.open();
            // The values of the batch before may be dropped, and flush this one.
            drop(ended);
            if batch.is_open() {
                return BatchItem::new(batch, key());
            }
        }
    }

    /// Returns another handle to the item at `index` of the open batch, if that has this number. The item
    /// must be pending.
    #[inline]
    pub(crate) fn share(&self, batch: u32, index: u32) -> Option<BatchItem<B>>
    where
        B::Value: Clone,
    {
        let open = self.inner.open.borrow();
        let cell = open.as_ref().filter(|cell| cell.is_open() && cell.number == batch)?;
        Some(BatchItem::share(Rc::clone(cell), index))
    }

    /// Finds the duplicates in the open batch.
    pub(crate) fn admit(&self) {
        let open = self.inner.open.borrow().clone();
        if let Some(open) = open.filter(|open| open.is_open()) {
            open.admit();
        }
    }

    /// Returns whether the innermost call drives the open batch.
    pub(crate) fn is_driven(&self) -> bool {
        let open = self.inner.open.borrow();
        open.as_ref().is_some_and(|open| open.is_open() && open.is_driven())
    }

    /// Returns the batch that the next item will join.
    #[must_use]
    pub fn open_batch(&self) -> BatchHandle<B> {
        let (cell, ended) = self.open();
        let batch = BatchHandle { cell };
        drop(ended);
        batch
    }

    /// Returns the open batch, and the batch that it has just replaced. The values of that one may
    /// call into the source when they are dropped, so the caller drops it last.
    fn open(&self) -> (Rc<Cell<B>>, Option<Rc<Cell<B>>>) {
        if let Some(open) = self.inner.open.borrow().as_ref().filter(|open| open.is_open()) {
            return (Rc::clone(open), None);
        }
        // `priority` is code of users, so nothing is borrowed.
        let priority = self.inner.batch.priority();
        let number = self.inner.opened.get().wrapping_add(1);
        self.inner.opened.set(number);
        // A cell keeps what it records, and an old one may record nothing.
        #[cfg(feature = "explain")]
        let can_reopen = self.inner.replayable.get().is_none();
        #[cfg(not(feature = "explain"))]
        let can_reopen = true;
        if can_reopen
            && let Some(cell) = self.inner.open.borrow_mut().as_mut()
            && BatchCell::reopen(cell, priority, number)
        {
            return (Rc::clone(cell), None);
        }
        let source = self.inner.any_source();
        // The batches of a source are often of the same size.
        let capacity = self.inner.open.borrow().as_ref().map_or(0, |ended| ended.capacity());
        let batch = BatchCell::open(source, self.inner.at, priority, number, capacity);
        let ended = self.inner.open.replace(Some(Rc::clone(&batch)));
        (batch, ended)
    }
}

impl<B: Batch> Inner<B> {
    /// Returns the source as its batches know it.
    fn any_source(&self) -> Rc<dyn AnySource<B::Key, B::Value>> {
        #[cfg(feature = "explain")]
        if let Some(replayable) = self.replayable.get() {
            return Rc::clone(replayable);
        }
        Rc::clone(&self.batch) as Rc<dyn AnySource<B::Key, B::Value>>
    }
}

#[cfg(feature = "explain")]
impl<B: Batch> Source<B>
where
    B::Key: fmt::Debug,
    B::Value: serde::Serialize + serde::de::DeserializeOwned,
{
    /// Lets tests run from recorded answers, by the [name](Batch::name) of the source:
    /// [`explain::record_answers`](crate::explain::record_answers). Batches that are open already are not recorded.
    #[must_use]
    pub fn replayable(self) -> Self {
        let codec = crate::recording::answers::Codec::new();
        let replayable = || Rc::new(Replayable::new(&self.inner.batch, codec)) as Rc<_>;
        self.inner.replayable.get_or_init(replayable);
        self
    }
}

impl<B: Batch> Clone for Source<B> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<B: Batch> fmt::Debug for Source<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", Batch::name(&*self.inner.batch))
    }
}
