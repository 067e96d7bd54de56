//! What a flush gets: the keys, and the places for their values.

use std::fmt;
use std::ops::Range;
use std::rc::{Rc, Weak};

use super::cell::{BatchCell, Slot};
use super::error::Failure;
use super::{Batch, BoxError};
use crate::error::TaskError;

/// The items of a batch that is being flushed, in the order in which they were asked for.
pub struct Items<B: Batch> {
    keys: Vec<B::Key>,
    /// Weak, since the batch keeps a flush that goes on. Once nobody can ask for an item any more,
    /// its values go nowhere.
    cell: Weak<BatchCell<B>>,
}

/// One of [`Items`].
pub struct Item<'a, B: Batch> {
    items: &'a Items<B>,
    index: usize,
}

impl<B: Batch> Items<B> {
    pub(super) fn new(keys: Vec<B::Key>, cell: &Rc<BatchCell<B>>) -> Self {
        Self { keys, cell: Rc::downgrade(cell) }
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys. Those that were asked for more than once come more than once.
    #[must_use]
    pub fn keys(&self) -> &[B::Key] {
        &self.keys
    }

    /// The item at `index`.
    pub(crate) fn item(&self, index: usize) -> Item<'_, B> {
        Item { items: self, index }
    }

    /// The items.
    pub fn iter(&self) -> ItemsIter<'_, B> {
        ItemsIter { items: self, rest: 0..self.keys.len() }
    }

    /// Gives every item the value that `find` has for its key; those it has none for are left as
    /// they are.
    ///
    /// # Panics
    ///
    /// If an item has a value or an error already.
    pub fn set_values(&self, mut find: impl FnMut(&B::Key) -> Option<B::Value>) {
        self.set_slots(|key| find(key).map(Slot::Value));
    }

    /// Gives every item the value or the error that `find` has for its key.
    ///
    /// # Panics
    ///
    /// If an item has a value or an error already.
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

    fn set_slots(&self, mut find: impl FnMut(&B::Key) -> Option<Slot<B::Value>>) {
        // Without the batch nobody can ask for a value, but the store is still asked: as ever.
        let cell = self.cell.upgrade();
        for (index, key) in (0..).zip(&self.keys) {
            if let Some(slot) = find(key)
                && let Some(cell) = &cell
            {
                cell.set(index, slot);
            }
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

/// The iterator of [`Items::iter`].
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
    /// What was asked for.
    #[must_use]
    pub fn key(&self) -> &'a B::Key {
        &self.items.keys[self.index]
    }

    /// Gives the item its value.
    ///
    /// # Panics
    ///
    /// If it has a value or an error already.
    pub fn set_value(&self, value: B::Value) {
        self.set(Slot::Value(value));
    }

    /// Makes this item, and no other, fail.
    ///
    /// # Panics
    ///
    /// If it has a value or an error already.
    pub fn set_error(&self, error: impl Into<BoxError>) {
        self.set(Slot::Failed(Failure::error(error)));
    }

    /// Makes whoever awaits this item panic.
    pub(crate) fn set_panic(&self, panic: TaskError) {
        self.set(Slot::Failed(Failure::Panic(panic)));
    }

    /// Whether somebody can ask for its value, and it has neither that nor an error.
    pub(crate) fn is_pending(&self) -> bool {
        let cell = self.items.cell.upgrade();
        cell.is_some_and(|cell| cell.pending(self.place()).is_some())
    }

    pub(crate) fn set_outcome(&self, outcome: Result<B::Value, impl Into<BoxError>>) {
        self.set(match outcome {
            Ok(value) => Slot::Value(value),
            Err(error) => Slot::Failed(Failure::error(error)),
        });
    }

    fn set(&self, slot: Slot<B::Value>) {
        if let Some(cell) = self.items.cell.upgrade() {
            cell.set(self.place(), slot);
        }
    }

    fn place(&self) -> u32 {
        u32::try_from(self.index).expect("counted by the engine")
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
