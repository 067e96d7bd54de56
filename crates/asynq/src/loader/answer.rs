//! What a batch function may return.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;

use super::error::LengthError;
use crate::batch::BoxError;

/// Values for keys: a map, a `Vec` with as many values as there are keys, in their order, or a
/// `Result` of one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a batch function returns",
    note = "return a `HashMap` or `BTreeMap` from keys to values, a `Vec` with a value for each key, \
            or a `Result` of one of these; or a future of that"
)]
pub trait Answer<K> {
    /// What comes back for one key.
    type Value;
    /// Gives each of the keys, by its place, its value or `None`.
    #[doc(hidden)]
    fn give(
        self,
        keys: &[&K],
        give: &mut dyn FnMut(usize, Option<Self::Value>),
    ) -> Result<(), BoxError>;
}

impl<K: Eq + Hash, V, S: BuildHasher> Answer<K> for HashMap<K, V, S> {
    type Value = V;

    fn give(mut self, keys: &[&K], give: &mut dyn FnMut(usize, Option<V>)) -> Result<(), BoxError> {
        for (place, key) in keys.iter().enumerate() {
            give(place, self.remove(key));
        }
        Ok(())
    }
}

impl<K: Ord, V> Answer<K> for BTreeMap<K, V> {
    type Value = V;

    fn give(mut self, keys: &[&K], give: &mut dyn FnMut(usize, Option<V>)) -> Result<(), BoxError> {
        for (place, key) in keys.iter().enumerate() {
            give(place, self.remove(key));
        }
        Ok(())
    }
}

impl<K, V> Answer<K> for Vec<V> {
    type Value = V;

    fn give(self, keys: &[&K], give: &mut dyn FnMut(usize, Option<V>)) -> Result<(), BoxError> {
        if self.len() != keys.len() {
            return Err(LengthError { keys: keys.len(), values: self.len() }.into());
        }
        for (place, value) in self.into_iter().enumerate() {
            give(place, Some(value));
        }
        Ok(())
    }
}

impl<K, A: Answer<K>, E: Into<BoxError>> Answer<K> for Result<A, E> {
    type Value = A::Value;

    fn give(
        self,
        keys: &[&K],
        give: &mut dyn FnMut(usize, Option<A::Value>),
    ) -> Result<(), BoxError> {
        self.map_err(Into::into)?.give(keys, give)
    }
}

/// What a batch function returns: an [`Answer`], or a future of one.
///
/// `Kind` is inferred. It keeps answers apart from futures.
pub trait Returned<K, Kind>: 'static {
    /// What comes back in the end.
    type Answer: Answer<K> + 'static;
    /// Whether it comes later.
    #[doc(hidden)]
    const IS_ASYNC: bool;
    #[doc(hidden)]
    fn into_fetched(self) -> Fetched<Self::Answer>;
}

/// The kind of functions that are not async.
#[derive(Debug)]
pub enum Plain {}

/// The kind of functions that are.
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
