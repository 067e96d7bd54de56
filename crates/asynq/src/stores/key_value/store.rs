//! The trait of key-value stores.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cached::Cached;
use super::codec::{Codec, Json, JsonOk};
use super::operation::{Action, Reply};
use super::operation_future::OperationFuture;
use crate::loader::Stats;
use crate::task::AsyncCall;

pub(super) mod sealed {
    use crate::stores::key_value::operations::Operations;

    pub trait Store: Sized {
        fn operations(&self) -> &Operations;
    }
}

/// Store of values by keys; both are bytes.
///
/// Tasks that run until all are blocked share one batch. The operations on one key run in the order
/// in which they were requested, so a get after a set returns the new value; equal gets are sent once.
/// A store has one batch in flight at a time, which may overlap with batches of other sources.
///
/// Each method returns a future, and adds its operation to the open batch, whether the future is
/// awaited or not. The batch is sent when any of its futures is awaited.
pub trait KeyValue: sealed::Store {
    /// Gets the value of a key, if there is one.
    fn get(&self, key: impl Into<Vec<u8>>) -> OperationFuture<Option<Vec<u8>>> {
        self.operations().get(key.into(), Reply::into_value)
    }

    /// Gets the value of a key, and parses it as JSON.
    fn get_json<T: DeserializeOwned>(&self, key: impl Into<Vec<u8>>) -> OperationFuture<Option<T>> {
        self.operations().get(key.into(), |reply| {
            let value = reply.into_value()?;
            Ok(value.map(|value| serde_json::from_slice(&value)).transpose()?)
        })
    }

    /// Sets the value of a key, without an expiry.
    fn set(&self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> OperationFuture<()> {
        set(self, key.into(), Ok(value.into()), None)
    }

    /// Sets the value of a key, which expires after `ttl`.
    ///
    /// # Panics
    ///
    /// If `ttl` is zero.
    #[track_caller]
    fn set_for(
        &self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        ttl: Duration,
    ) -> OperationFuture<()> {
        set(self, key.into(), Ok(value.into()), Some(positive(ttl)))
    }

    /// Sets the value of a key to the JSON of `value`, without an expiry.
    fn set_json(&self, key: impl Into<Vec<u8>>, value: &impl Serialize) -> OperationFuture<()> {
        set(self, key.into(), serde_json::to_vec(value), None)
    }

    /// Sets the value of a key to the JSON of `value`, which expires after `ttl`.
    ///
    /// # Panics
    ///
    /// If `ttl` is zero.
    #[track_caller]
    fn set_json_for(
        &self,
        key: impl Into<Vec<u8>>,
        value: &impl Serialize,
        ttl: Duration,
    ) -> OperationFuture<()> {
        set(self, key.into(), serde_json::to_vec(value), Some(positive(ttl)))
    }

    /// Deletes the value of a key. Returns whether there was one.
    fn delete(&self, key: impl Into<Vec<u8>>) -> OperationFuture<bool> {
        self.operations().write(key.into(), Action::Delete, Reply::into_deleted)
    }

    /// Caches the values of `function` in the store, as JSON. They expire after `ttl`; with `None`, they
    /// stay until the store evicts them.
    ///
    /// See [`Cached`]. Use [`try_cached`](Self::try_cached) for a function that may fail, to cache only
    /// its successes.
    ///
    /// # Panics
    ///
    /// If `ttl` is zero, or the prefix is longer than 125 bytes or has spaces or control characters.
    #[track_caller]
    fn cached<A, T, C>(
        &self,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> C + 'static,
    ) -> Cached<A, T>
    where
        C: AsyncCall<Output = T>,
        A: Serialize + 'static,
        T: Serialize + DeserializeOwned + Clone + 'static,
    {
        self.cached_as(Json, prefix, ttl, function)
    }

    /// Caches the `Ok` values of `function` in the store, as JSON.
    ///
    /// # Panics
    ///
    /// As [`cached`](Self::cached).
    #[track_caller]
    fn try_cached<A, T, E, C>(
        &self,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> C + 'static,
    ) -> Cached<A, Result<T, E>>
    where
        C: AsyncCall<Output = Result<T, E>>,
        A: Serialize + 'static,
        T: Serialize + DeserializeOwned + Clone + 'static,
        E: Clone + 'static,
    {
        self.cached_as(JsonOk, prefix, ttl, function)
    }

    /// Caches the values of `function` in the store, encoded by `codec`.
    ///
    /// # Panics
    ///
    /// As [`cached`](Self::cached).
    #[track_caller]
    fn cached_as<A, T, C>(
        &self,
        codec: impl Codec<T> + 'static,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> C + 'static,
    ) -> Cached<A, T>
    where
        C: AsyncCall<Output = T>,
        A: Serialize + 'static,
        T: Clone + 'static,
    {
        let ttl = ttl.into().map(positive);
        Cached::new(self.operations().clone(), codec, prefix, ttl, function)
    }

    /// Sets the name of the store in errors and reports.
    #[must_use]
    fn name(self, name: &str) -> Self {
        // The clone is a handle to the same loader.
        drop(self.operations().loader.clone().name(name));
        self
    }

    /// Cancels a batch that takes longer than `after`. Its operations fail with a
    /// [`TimeoutError`](crate::loader::TimeoutError); the store may still perform them. By default, there
    /// is no timeout.
    #[must_use]
    fn timeout(self, after: Duration) -> Self {
        drop(self.operations().loader.clone().timeout(after));
        self
    }

    /// Returns the counts since the store was created.
    fn stats(&self) -> Stats {
        self.operations().loader.stats()
    }
}

impl<S: sealed::Store> KeyValue for S {}

fn set(
    store: &impl sealed::Store,
    key: Vec<u8>,
    value: serde_json::Result<Vec<u8>>,
    ttl: Option<Duration>,
) -> OperationFuture<()> {
    let action = match value {
        Ok(value) => Action::Set { value, ttl },
        Err(error) => Action::Refused(error.to_string()),
    };
    store.operations().write(key, action, Reply::into_stored)
}

#[track_caller]
fn positive(ttl: Duration) -> Duration {
    assert!(!ttl.is_zero(), "the ttl of a value must be more than zero, got {ttl:?}");
    ttl
}
