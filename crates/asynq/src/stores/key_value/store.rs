//! What all key-value stores can do.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cached::{Cached, Codec, Json, JsonOk};
use super::operation::{Action, Reply};
use super::operation_future::Asked;
use crate::batch::BoxError;
use crate::loader::Stats;
use crate::task::AsyncTask;

pub(super) mod sealed {
    use crate::stores::key_value::operations::Operations;

    pub trait Store: Sized {
        fn operations(&self) -> &Operations;
    }
}

/// A store of values by keys, of bytes both.
///
/// What the tasks of a round ask for leaves together. With one key, it is done in the order in which
/// it was asked for, so that a get after a set sees its value; equal gets are asked once. The batches
/// of a store take turns, and overlap with those of other sources.
///
/// Each method returns a future. Whether it is awaited or not, what it asks for goes out with the
/// next batch that somebody awaits something of.
pub trait KeyValue: sealed::Store {
    /// The value of a key, if there is one.
    fn get(&self, key: impl Into<Vec<u8>>) -> Asked<Option<Vec<u8>>> {
        self.operations().get(key.into(), value)
    }

    /// The value of a key, from JSON.
    fn get_json<T: DeserializeOwned>(&self, key: impl Into<Vec<u8>>) -> Asked<Option<T>> {
        self.operations().get(key.into(), |reply| {
            let value = value(reply)?;
            Ok(value.map(|value| serde_json::from_slice(&value)).transpose()?)
        })
    }

    /// Sets the value of a key, until it is deleted.
    fn set(&self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Asked<()> {
        set(self, key.into(), Ok(value.into()), None)
    }

    /// Sets the value of a key, for some time.
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
    ) -> Asked<()> {
        set(self, key.into(), Ok(value.into()), Some(checked(ttl)))
    }

    /// Sets the value of a key, as JSON, until it is deleted.
    fn set_json(&self, key: impl Into<Vec<u8>>, value: &impl Serialize) -> Asked<()> {
        set(self, key.into(), serde_json::to_vec(value), None)
    }

    /// Sets the value of a key, as JSON, for some time.
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
    ) -> Asked<()> {
        set(self, key.into(), serde_json::to_vec(value), Some(checked(ttl)))
    }

    /// Forgets the value of a key. Returns whether there was one.
    fn delete(&self, key: impl Into<Vec<u8>>) -> Asked<bool> {
        self.operations().write(key.into(), Action::Delete, deleted)
    }

    /// Keeps what `function` returns in the store, as JSON: for as long as `ttl`, or until the store
    /// needs its room.
    ///
    /// See [`Cached`]. Of a function that may fail, [`try_cached`](Self::try_cached) keeps only the
    /// successes.
    ///
    /// # Panics
    ///
    /// If `ttl` is zero, or the prefix is longer than 125 bytes or has spaces or control characters.
    #[track_caller]
    fn cached<A, T>(
        &self,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> AsyncTask<T> + 'static,
    ) -> Cached<A, T>
    where
        A: Serialize + 'static,
        T: Serialize + DeserializeOwned + Clone + 'static,
    {
        self.cached_as(Json, prefix, ttl, function)
    }

    /// Keeps what `function` returns in the store, as JSON, unless that is an error.
    ///
    /// # Panics
    ///
    /// As [`cached`](Self::cached).
    #[track_caller]
    fn try_cached<A, T, E>(
        &self,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> AsyncTask<Result<T, E>> + 'static,
    ) -> Cached<A, Result<T, E>>
    where
        A: Serialize + 'static,
        T: Serialize + DeserializeOwned + Clone + 'static,
        E: Clone + 'static,
    {
        self.cached_as(JsonOk, prefix, ttl, function)
    }

    /// Keeps what `function` returns in the store, as `codec` says.
    ///
    /// # Panics
    ///
    /// As [`cached`](Self::cached).
    #[track_caller]
    fn cached_as<A, T>(
        &self,
        codec: impl Codec<T> + 'static,
        prefix: &str,
        ttl: impl Into<Option<Duration>>,
        function: impl Fn(A) -> AsyncTask<T> + 'static,
    ) -> Cached<A, T>
    where
        A: Serialize + 'static,
        T: Clone + 'static,
    {
        let ttl = ttl.into().map(checked);
        Cached::new(self.operations().clone(), codec, prefix, ttl, function)
    }

    /// Calls the store `name` in errors and reports.
    #[must_use]
    fn name(self, name: &str) -> Self {
        // Its clone is the same loader.
        drop(self.operations().loader.clone().name(name));
        self
    }

    /// A batch that takes longer is given up, and what it asked for fails with a
    /// [`TimeoutError`](crate::loader::TimeoutError): it may have been done, or be done yet, or not. By
    /// default none is given up.
    #[must_use]
    fn timeout(self, after: Duration) -> Self {
        drop(self.operations().loader.clone().timeout(after));
        self
    }

    /// What it has done so far.
    fn stats(&self) -> Stats {
        self.operations().loader.stats()
    }
}

impl<S: sealed::Store> KeyValue for S {}

pub(super) fn value(reply: Reply) -> Result<Option<Vec<u8>>, BoxError> {
    match reply {
        Reply::Value(value) => Ok(value),
        reply => Err(format!("{reply:?} is no reply to a get").into()),
    }
}

pub(super) fn stored(reply: Reply) -> Result<(), BoxError> {
    match reply {
        Reply::Stored => Ok(()),
        reply => Err(format!("{reply:?} is no reply to a set").into()),
    }
}

pub(super) fn deleted(reply: Reply) -> Result<bool, BoxError> {
    match reply {
        Reply::Deleted(was_there) => Ok(was_there),
        reply => Err(format!("{reply:?} is no reply to a delete").into()),
    }
}

fn set(
    store: &impl sealed::Store,
    key: Vec<u8>,
    value: serde_json::Result<Vec<u8>>,
    ttl: Option<Duration>,
) -> Asked<()> {
    let action = match value {
        Ok(value) => Action::Set { value, ttl },
        Err(error) => Action::Refused(error.to_string()),
    };
    store.operations().write(key, action, stored)
}

#[track_caller]
fn checked(ttl: Duration) -> Duration {
    assert!(!ttl.is_zero(), "a value cannot be kept for no time: give a ttl of more than zero");
    ttl
}
