//! The rows of a statement, grouped by key.

use std::collections::HashMap;

use crate::batch::BoxError;
use crate::loader::Key;

/// Mapped rows, or errors, of each key of a batch, by its index.
pub(super) struct RowsByKey<T>(Vec<Vec<Result<T, BoxError>>>);

/// [`RowsByKey::one`] or [`RowsByKey::many`].
pub(super) type Collect<K, T, V> = fn(RowsByKey<T>, Vec<K>) -> ValuesByKey<K, V>;

/// Values of the keys that have rows.
type ValuesByKey<K, V> = HashMap<K, Result<V, BoxError>>;

impl<T> RowsByKey<T> {
    /// Creates the rows of `count` keys, without any.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Vec::new()).collect())
    }

    pub(super) fn add(&mut self, index: usize, row: Result<T, impl Into<BoxError>>) {
        self.0[index].push(row.map_err(Into::into));
    }

    /// Returns the one row of each key that has rows.
    pub(super) fn one<K: Key>(self, keys: Vec<K>) -> ValuesByKey<K, T> {
        self.collect(keys, |mut rows| match (rows.pop(), rows.len()) {
            (Some(row), 0) => row,
            (_, others) => {
                Err(format!("{} rows have this key; `many` returns all of them", others + 1).into())
            }
        })
    }

    /// Returns all rows of each key that has any.
    pub(super) fn many<K: Key>(self, keys: Vec<K>) -> ValuesByKey<K, Vec<T>> {
        self.collect(keys, |rows| rows.into_iter().collect())
    }

    fn collect<K: Key, V>(
        self,
        keys: Vec<K>,
        collect: impl Fn(Vec<Result<T, BoxError>>) -> Result<V, BoxError>,
    ) -> ValuesByKey<K, V> {
        let with_rows = keys.into_iter().zip(self.0).filter(|(_, rows)| !rows.is_empty());
        with_rows.map(|(key, rows)| (key, collect(rows))).collect()
    }
}
