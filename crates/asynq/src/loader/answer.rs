//! Return types of batch functions.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;

use super::error::LengthError;
use crate::batch::BoxError;

/// Values for keys: a map from keys to values, a `Vec` with one value for each key in the same
/// order, or a `Result` of one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a batch function returns",
    note = "return a `HashMap` or `BTreeMap` from keys to values, a `Vec` with a value for each key, \
            or a `Result` of one of these; or a future of that"
)]
pub trait Answer<K> {
    /// Value of one key.
    type Value;
    /// Calls `give` with the index of each key, and its value or `None`.
    #[doc(hidden)]
    fn give_values(
        self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<Self::Value>),
    ) -> Result<(), BoxError>;
}

impl<K: Eq + Hash, V, S: BuildHasher> Answer<K> for HashMap<K, V, S> {
    type Value = V;

    fn give_values(
        mut self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<V>),
    ) -> Result<(), BoxError> {
        for (index, key) in keys.iter().enumerate() {
            give(index, self.remove(key));
        }
        Ok(())
    }
}

impl<K: Ord, V> Answer<K> for BTreeMap<K, V> {
    type Value = V;

    fn give_values(
        mut self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<V>),
    ) -> Result<(), BoxError> {
        for (index, key) in keys.iter().enumerate() {
            give(index, self.remove(key));
        }
        Ok(())
    }
}

impl<K, V> Answer<K> for Vec<V> {
    type Value = V;

    fn give_values(
        self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<V>),
    ) -> Result<(), BoxError> {
        if self.len() != keys.len() {
            return Err(LengthError { keys: keys.len(), values: self.len() }.into());
        }
        for (index, value) in self.into_iter().enumerate() {
            give(index, Some(value));
        }
        Ok(())
    }
}

impl<K, A: Answer<K>, E: Into<BoxError>> Answer<K> for Result<A, E> {
    type Value = A::Value;

    fn give_values(
        self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<A::Value>),
    ) -> Result<(), BoxError> {
        self.map_err(Into::into)?.give_values(keys, give)
    }
}

/// Return type of a batch function: an [`Answer`], or a future of one.
///
/// `Kind` is inferred. It separates answers from futures.
pub trait Returned<K, Kind>: 'static {
    /// The answer, or the output of the future.
    type Answer: Answer<K> + 'static;
    /// `true` for futures.
    #[doc(hidden)]
    const IS_ASYNC: bool;
    #[doc(hidden)]
    fn into_fetched(self) -> Fetched<Self::Answer>;
}

/// Kind of functions that are not async.
#[derive(Debug)]
pub enum Plain {}

/// Kind of async functions.
#[derive(Debug)]
pub enum Async {}

#[doc(hidden)]
pub enum Fetched<A> {
    Now(A),
    Later(Pin<Box<dyn Future<Output = A>>>),
}

impl<K, A: Answer<K> + 'static> Returned<K, Plain> for A {
    type Answer = A;
    const IS_ASYNC: bool = false;

    fn into_fetched(self) -> Fetched<A> {
        Fetched::Now(self)
    }
}

impl<K, F: Future<Output: Answer<K>> + 'static> Returned<K, Async> for F {
    type Answer = F::Output;
    const IS_ASYNC: bool = true;

    fn into_fetched(self) -> Fetched<F::Output> {
        Fetched::Later(Box::pin(self))
    }
}
