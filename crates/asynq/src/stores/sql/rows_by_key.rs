//! The rows of a statement, grouped by key.

use std::collections::HashMap;
use std::fmt::Debug;

use crate::batch::BoxError;
use crate::loader::Key;

/// Mapped rows of each requested key.
pub(super) struct RowsByKey<K, T, E>(HashMap<K, Vec<Result<T, E>>>);

/// [`RowsByKey::one`] or [`RowsByKey::many`].
pub(super) type Collect<K, T, E, V> = fn(RowsByKey<K, T, E>) -> ValuesByKey<K, V>;

/// Values of the keys that have rows.
type ValuesByKey<K, V> = HashMap<K, Result<V, BoxError>>;

impl<K: Key, T, E: Into<BoxError>> RowsByKey<K, T, E> {
    pub(super) fn new(keys: &[K]) -> Self {
        Self(keys.iter().map(|key| (key.clone(), Vec::new())).collect())
    }

    /// Adds a row. Fails if its key was not requested: the load that the row is meant for would find none.
    pub(super) fn add(&mut self, key: &K, row: Result<T, E>) -> Result<(), BoxError> {
        self.0.get_mut(key).ok_or_else(|| unrequested(key))?.push(row);
        Ok(())
    }

    /// Returns the one row of each key that has rows.
    pub(super) fn one(self) -> ValuesByKey<K, T> {
        self.collect(|mut rows| match (rows.pop(), rows.len()) {
            (Some(row), 0) => row.map_err(Into::into),
            (_, others) => {
                Err(format!("{} rows have this key; `many` returns all of them", others + 1).into())
            }
        })
    }

    /// Returns all rows of each key that has any.
    pub(super) fn many(self) -> ValuesByKey<K, Vec<T>> {
        self.collect(|rows| rows.into_iter().collect::<Result<_, E>>().map_err(Into::into))
    }

    fn collect<V>(
        self,
        collect: impl Fn(Vec<Result<T, E>>) -> Result<V, BoxError>,
    ) -> ValuesByKey<K, V> {
        let with_rows = self.0.into_iter().filter(|(_, rows)| !rows.is_empty());
        with_rows.map(|(key, rows)| (key, collect(rows))).collect()
    }
}

fn unrequested(key: &impl Debug) -> BoxError {
    format!(
        "the database returned a row for {key:?}, which was not requested: it compares values of the \
         column differently from the key type; request keys as they are stored, or use a key type with \
         the `Eq` of the database"
    )
    .into()
}
