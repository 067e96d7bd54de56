//! The flush of a batch: the trait of sources, the items that a flush gets, and what it returns.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::rc::{Rc, Weak};

use super::cell::{AnySource, BatchCell};
use super::error::{BoxError, Failure};
use super::flush_step::FlushStep;
use super::slot::Slot;
use crate::call_stack::Site;
use crate::type_name::short_name;

/// Source of values that can answer many keys in one request.
///
/// ```
/// use asynq::{Batch, FutureBase, Items, Source, all};
/// use std::rc::Rc;
///
/// struct Squares;
///
/// impl Batch for Squares {
///     type Key = u64;
///     type Value = u64;
///     type Flush = ();
///
///     fn flush(self: Rc<Self>, items: Items<Self>) {
///         println!("{} squares at once", items.len());
///         for item in &items {
///             item.set_value(item.key() * item.key());
///         }
///     }
/// }
///
/// let squares = Source::new(Squares);
/// let values = all((1..=3).map(|n| squares.item(n))).value();
/// assert_eq!(values.into_iter().map(Result::unwrap).sum::<u64>(), 14);
/// ```
pub trait Batch: Sized + 'static {
    /// Key of a value.
    type Key: 'static;
    /// Value of one key.
    type Value: 'static;
    /// Return type of [`flush`](Self::flush): `()`, a `Result` whose error becomes the error of every
    /// item without a value, or the boxed future of one of these (`Pin<Box<dyn Future<..>>>`) for a
    /// flush that awaits something.
    type Flush: Flush;

    /// Requests the values of all keys, and sets the value or error of each item, in any order. Equal
    /// keys come as often as they were requested.
    ///
    /// An item that is left without either gets an error that names this batch. A panic reaches
    /// every task that waits for an item without a value. If there is none, it reaches the
    /// synchronous call that flushes, or the poll by another executor, once everything else has run.
    fn flush(self: Rc<Self>, items: Items<Self>) -> Self::Flush;

    /// Returns the name of this source in errors and reports: by default the name of the type.
    fn name(&self) -> String {
        short_name(std::any::type_name::<Self>())
    }

    /// Says that [`admit`](Self::admit) finds equal keys.
    #[doc(hidden)]
    const FINDS_DUPLICATES: bool = false;

    /// Returns whether recordings show its batches. A loader reports its own.
    #[doc(hidden)]
    fn is_recorded(&self) -> bool {
        true
    }

    /// Describes the tasks of its flushes.
    #[doc(hidden)]
    fn flush_site(&self) -> &'static Site {
        static FLUSH: Site = Site::made("flush of a source");
        &FLUSH
    }

    /// Looks for equal keys among those of a batch, from `first` on, before it is flushed.
    #[doc(hidden)]
    fn admit(
        self: Rc<Self>,
        _keys: &mut Vec<Self::Key>,
        _first: usize,
        _batch: &Admitting<'_, Self>,
    ) {
    }

    #[doc(hidden)]
    fn on_abandoned(&self, _keys: &RefCell<Vec<Self::Key>>, _index: u32) {}

    #[doc(hidden)]
    fn on_cancelled(&self, _keys: Vec<Self::Key>) {}

    /// Returns the priority of a batch that is being opened. When nothing can run, the scheduler
    /// flushes a batch of the highest priority; among equals the one with the most items, then the
    /// one that was opened first.
    fn priority(&self) -> i64 {
        0
    }
}

impl<B: Batch> AnySource<B::Key, B::Value> for B {
    fn flush(
        self: Rc<Self>,
        keys: Vec<B::Key>,
        batch: Weak<BatchCell<B::Key, B::Value>>,
    ) -> FlushStep {
        Batch::flush(self, Items { keys, batch }).into_step()
    }

    fn finds_duplicates(&self) -> bool {
        B::FINDS_DUPLICATES
    }

    fn admit(
        self: Rc<Self>,
        keys: &mut Vec<B::Key>,
        first: usize,
        batch: &Rc<BatchCell<B::Key, B::Value>>,
    ) {
        Batch::admit(self, keys, first, &Admitting { batch });
    }

    fn name(&self) -> String {
        Batch::name(self)
    }

    fn is_recorded(&self) -> bool {
        Batch::is_recorded(self)
    }

    fn flush_site(&self) -> &'static Site {
        Batch::flush_site(self)
    }

    fn on_abandoned(&self, keys: &RefCell<Vec<B::Key>>, index: u32) {
        Batch::on_abandoned(self, keys, index);
    }

    fn on_cancelled(&self, keys: Vec<B::Key>) {
        Batch::on_cancelled(self, keys);
    }
}

/// A batch in which duplicates are being found.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "only sources of this crate get one")]
pub struct Admitting<'a, B: Batch> {
    pub(super) batch: &'a Rc<BatchCell<B::Key, B::Value>>,
}

impl<B: Batch> Admitting<'_, B> {
    /// Returns whether items can still get values.
    pub(crate) fn is_pending(&self) -> bool {
        !self.batch.is_ended()
    }

    /// Returns the number of the batch among those of its source.
    pub(crate) fn number(&self) -> u32 {
        self.batch.number
    }

    /// Gives an item the value of another that is pending.
    pub(crate) fn set_duplicate(&self, index: u32, of: u32)
    where
        B::Value: Clone,
    {
        self.batch.set_duplicate(index, of, B::Value::clone);
    }
}

/// Items of a batch that is being flushed, in the order in which they were requested.
pub struct Items<B: Batch> {
    keys: Vec<B::Key>,
    /// Weak, since the batch owns a flush that goes on. When the batch is gone, nobody can await its
    /// items, and the values are dropped.
    batch: Weak<BatchCell<B::Key, B::Value>>,
}

/// One item of [`Items`].
pub struct Item<'a, B: Batch> {
    items: &'a Items<B>,
    index: usize,
}

impl<B: Batch> Items<B> {
    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys. A key that was requested twice comes twice.
    #[must_use]
    pub fn keys(&self) -> &[B::Key] {
        &self.keys
    }

    /// Gives the keys back to the batch.
    pub(crate) fn return_keys(mut self) {
        if let Some(batch) = self.batch.upgrade() {
            batch.keep_keys(mem::take(&mut self.keys));
        }
    }

    /// Iterates over the items.
    pub fn iter(&self) -> ItemsIter<'_, B> {
        ItemsIter { items: self, rest: 0..self.keys.len() }
    }

    /// Sets the value of every item to the one that `find` returns for its key; `None` leaves the item
    /// as it is.
    ///
    /// # Panics
    ///
    /// If an item already has a value or an error.
    pub fn set_values(&self, mut find: impl FnMut(&B::Key) -> Option<B::Value>) {
        self.set_slots(|key| find(key).map(Slot::Value));
    }

    /// Sets the value or error of every item to the one that `find` returns for its key.
    ///
    /// # Panics
    ///
    /// If an item already has a value or an error.
    pub fn set_results<E: Into<BoxError>>(
        &self,
        mut find: impl FnMut(&B::Key) -> Result<B::Value, E>,
    ) {
        self.set_slots(|key| {
            Some(match find(key) {
                Ok(value) => Slot::Value(value),
                Err(error) => Slot::Failed(Failure::error(error)),
            })
        });
    }

    /// Sets the value of the item at `index`.
    pub(crate) fn set_value_at(&self, index: usize, value: B::Value) {
        Item { items: self, index }.set_value(value);
    }

    /// Sets the value of all pending items, at the end of a flush, which runs the callbacks then.
    pub(crate) fn set_all(&self, value: impl Fn() -> B::Value) {
        if let Some(batch) = self.batch.upgrade() {
            batch.set_pending(|| Slot::Value(value()));
        }
    }

    fn set_slots(&self, mut find: impl FnMut(&B::Key) -> Option<Slot<B::Value>>) {
        // `find` is called for every key, also if the batch is gone.
        let batch = self.batch.upgrade();
        for (index, key) in (0..).zip(&self.keys) {
            if let Some(slot) = find(key)
                && let Some(batch) = &batch
            {
                batch.set(index, slot);
            }
        }
    }
}

impl<B: Batch> Drop for Items<B> {
    fn drop(&mut self) {
        self.keys.clear();
        if let Some(batch) = self.batch.upgrade() {
            batch.keep_room(mem::take(&mut self.keys));
        }
    }
}

impl<'a, B: Batch> IntoIterator for &'a Items<B> {
    type Item = Item<'a, B>;
    type IntoIter = ItemsIter<'a, B>;

    fn into_iter(self) -> ItemsIter<'a, B> {
        self.iter()
    }
}

/// Iterator of [`Items::iter`].
pub struct ItemsIter<'a, B: Batch> {
    items: &'a Items<B>,
    rest: Range<usize>,
}

impl<'a, B: Batch> Iterator for ItemsIter<'a, B> {
    type Item = Item<'a, B>;

    fn next(&mut self) -> Option<Item<'a, B>> {
        self.rest.next().map(|index| Item { items: self.items, index })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl<B: Batch> ExactSizeIterator for ItemsIter<'_, B> {}

impl<B: Batch> fmt::Debug for ItemsIter<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ItemsIter").field(&self.rest).finish()
    }
}

impl<'a, B: Batch> Item<'a, B> {
    /// Returns the key of the item.
    #[must_use]
    pub fn key(&self) -> &'a B::Key {
        &self.items.keys[self.index]
    }

    /// Sets the value of the item.
    ///
    /// # Panics
    ///
    /// If the item already has a value or an error.
    pub fn set_value(&self, value: B::Value) {
        self.set(Slot::Value(value));
    }

    /// Sets the error of the item. The other items are not affected.
    ///
    /// # Panics
    ///
    /// If the item already has a value or an error.
    pub fn set_error(&self, error: impl Into<BoxError>) {
        self.set(Slot::Failed(Failure::error(error)));
    }

    fn set(&self, slot: Slot<B::Value>) {
        if let Some(batch) = self.items.batch.upgrade() {
            batch.set(self.slot_index(), slot);
        }
    }

    fn slot_index(&self) -> u32 {
        u32::try_from(self.index).expect("the engine counts items in a u32")
    }
}

impl<B: Batch<Key: fmt::Debug>> fmt::Debug for Items<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Items").field(&self.keys).finish()
    }
}

impl<B: Batch<Key: fmt::Debug>> fmt::Debug for Item<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Item").field(self.key()).finish()
    }
}

/// Return type of a [`flush`](Batch::flush).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a flush returns",
    note = "use `()`, `Result<(), E>`, or `Pin<Box<dyn Future<Output = ..>>>` of one of these"
)]
pub trait Flush: 'static {
    #[doc(hidden)]
    fn into_step(self) -> FlushStep;
}

impl Flush for FlushStep {
    fn into_step(self) -> FlushStep {
        self
    }
}

impl Flush for () {
    fn into_step(self) -> FlushStep {
        FlushStep::Done(Ok(()))
    }
}

impl<E: Into<BoxError> + 'static> Flush for Result<(), E> {
    fn into_step(self) -> FlushStep {
        FlushStep::Done(self.map_err(Into::into))
    }
}

impl<R: Flush> Flush for Pin<Box<dyn Future<Output = R>>> {
    fn into_step(self) -> FlushStep {
        FlushStep::Later(Box::pin(async move {
            match self.await.into_step() {
                FlushStep::Done(result) => result,
                FlushStep::Later(rest) => rest.await,
            }
        }))
    }
}
