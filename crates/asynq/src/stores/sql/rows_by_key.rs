//! The rows that a statement found, by the keys that were asked for.

use std::collections::HashMap;
use std::fmt::Debug;

use crate::batch::BoxError;
use crate::loader::Key;

/// What was made of the rows of each key, `T` or an error.
pub(super) struct Found<K, T, E>(HashMap<K, Vec<Result<T, E>>>);

/// [`Found::one`] or [`Found::many`].
pub(super) type Gather<K, T, E, V> = fn(Found<K, T, E>) -> Answers<K, V>;

/// What the keys have that have rows.
type Answers<K, V> = HashMap<K, Result<V, BoxError>>;

impl<K: Key, T, E: Into<BoxError>> Found<K, T, E> {
    pub(super) fn nothing(keys: &[K]) -> Self {
        Self(keys.iter().map(|key| (key.clone(), Vec::new())).collect())
    }

    /// Fails if nobody asked for the `key` of the row: then somebody would wait for the row in vain.
    pub(super) fn add(&mut self, key: &K, row: Result<T, E>) -> Result<(), BoxError> {
        self.0.get_mut(key).ok_or_else(|| stray(key))?.push(row);
        Ok(())
    }

    /// The one row of each key that has rows.
    pub(super) fn one(self) -> Answers<K, T> {
        self.gather(|mut rows| match (rows.pop(), rows.len()) {
            (Some(row), 0) => row.map_err(Into::into),
            (_, others) => {
                Err(format!("{} rows have it; `many` gives all of them", others + 1).into())
            }
        })
    }

    /// The rows of each key that has any.
    pub(super) fn many(self) -> Answers<K, Vec<T>> {
        self.gather(|rows| rows.into_iter().collect::<Result<_, E>>().map_err(Into::into))
    }

    fn gather<V>(self, gather: impl Fn(Vec<Result<T, E>>) -> Result<V, BoxError>) -> Answers<K, V> {
        let found = self.0.into_iter().filter(|(_, rows)| !rows.is_empty());
        found.map(|(key, rows)| (key, gather(rows))).collect()
    }
}

fn stray(key: &impl Debug) -> BoxError {
    format!(
        "a row came back for {key:?}, which was not asked for: the database takes values of the column \
         for equal that are different in Rust; ask for keys as they are stored, or give the key type \
         an `Eq` of that kind"
    )
    .into()
}
