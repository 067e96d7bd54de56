//! Answers of batch functions.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::ops::Range;
#[cfg(feature = "blocking")]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(feature = "blocking")]
use std::thread;
use std::time::Duration;

use super::error::LengthError;
use crate::batch::BoxError;
#[cfg(feature = "blocking")]
use crate::clock;

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
    /// Returns the time of the call, if another thread has called the function.
    #[doc(hidden)]
    fn span(&self) -> Option<Range<Duration>> {
        None
    }
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

    fn span(&self) -> Option<Range<Duration>> {
        self.as_ref().ok()?.span()
    }
}

/// Answer of a function that another thread has called, and the time of the call.
#[cfg(feature = "blocking")]
pub(super) struct ThreadAnswer<A> {
    answer: thread::Result<A>,
    span: Range<Duration>,
}

#[cfg(feature = "blocking")]
impl<A> ThreadAnswer<A> {
    /// Calls `function` on this thread.
    pub(super) fn of(function: impl FnOnce() -> A) -> Self {
        let began = clock::now();
        let answer = catch_unwind(AssertUnwindSafe(function));
        Self { answer, span: began..clock::now() }
    }
}

#[cfg(feature = "blocking")]
impl<K, A: Answer<K>> Answer<K> for ThreadAnswer<A> {
    type Value = A::Value;

    fn give_values(
        self,
        keys: &[K],
        give: &mut dyn FnMut(usize, Option<A::Value>),
    ) -> Result<(), BoxError> {
        let answer = self.answer.unwrap_or_else(|payload| resume_unwind(payload));
        answer.give_values(keys, give)
    }

    fn span(&self) -> Option<Range<Duration>> {
        Some(self.span.clone())
    }
}
