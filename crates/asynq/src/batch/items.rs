//! What a flush gets: the keys, and the places for their values.

use std::fmt;
use std::rc::{Rc, Weak};

use super::cell::{BatchCell, Slot};
use super::error::Failure;
use super::{Batch, BoxError};

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

    /// The items.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Item<'_, B>> {
        (0..self.keys.len()).map(|index| Item { items: self, index })
    }

    /// Gives every item the value that `find` has for its key; those it has none for are left as
    /// they are.
    ///
    /// # Panics
    ///
    /// If an item has a value or an error already.
    pub fn set_values(&self, mut find: impl FnMut(&B::Key) -> Option<B::Value>) {
        for item in self {
            if let Some(value) = find(item.key()) {
                item.set_value(value);
            }
        }
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
        for item in self {
            match find(item.key()) {
                Ok(value) => item.set_value(value),
                Err(error) => item.set_error(error),
            }
        }
    }
}

impl<'a, B: Batch> IntoIterator for &'a Items<B> {
    type Item = Item<'a, B>;
    type IntoIter = Box<dyn Iterator<Item = Item<'a, B>> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
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

    fn set(&self, slot: Slot<B::Value>) {
        let index = u32::try_from(self.index).expect("counted by the engine");
        if let Some(cell) = self.items.cell.upgrade() {
            cell.set(index, slot);
        }
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
