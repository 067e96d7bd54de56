//! Functions whose values are kept in a key-value store.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::key_format::{MAX_KEY, is_plain};
use super::operation::Action;
use super::operation_future::Asked;
use super::operations::Operations;
use super::store::{deleted, stored, value};
use crate::batch::{BatchError, BoxError};
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::AsyncTask;
use crate::tools::{Deduplicate, deduplicate_by};

/// How values are kept: turns them into bytes and back.
pub trait Codec<T> {
    /// The bytes of a value, or `None` if it is not to be kept.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, BoxError>;

    /// The value of some bytes, which may be anything: somebody else could have written them.
    ///
    /// # Errors
    ///
    /// If they are not those of a value.
    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError>;
}

/// Values as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(Some(serde_json::to_vec(value)?))
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Successes as JSON; errors are not kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonOk;

impl<T: Serialize + DeserializeOwned, E> Codec<Result<T, E>> for JsonOk {
    fn encode(&self, value: &Result<T, E>) -> Result<Option<Vec<u8>>, BoxError> {
        value.as_ref().map_or(Ok(None), |value| Json.encode(value))
    }

    fn decode(&self, bytes: &[u8]) -> Result<Result<T, E>, BoxError> {
        Json.decode(bytes).map(Ok)
    }
}

/// A function whose values are kept in a key-value store: made by
/// [`KeyValue::cached`](super::KeyValue::cached) and its relatives.
///
/// What the store has is not computed. What it has not is, by the function, and then written to it:
/// what many tasks call together is read in one request, and written in one. Equal calls that are
/// under way share one task, as with [`deduplicate`](crate::tools::deduplicate()).
///
/// No call fails because of the cache. A store that cannot be reached, and a value that cannot be
/// decoded, count as if there were nothing; what went wrong is told to
/// [`on_error`](Self::on_error). A store that does not answer holds up each call for as long as its
/// [`timeout`](super::KeyValue::timeout), to read and once more to write: give it one.
///
/// The key is the prefix with the argument as JSON: there `NaN`, infinities and `None` are all `null`, and
/// the entries of a map have its order, which a `HashMap` changes. If memcached would not take that, it is
/// the prefix with its SHA-256, in any store. Functions with the same prefix share their values.
///
/// A handle: clones are the same function. It belongs to one thread, as the store.
pub struct Cached<A, T: 'static> {
    calls: Deduplicate<Call<A>, T, Vec<u8>>,
    prefix: Rc<str>,
    shared: Rc<Shared>,
}

/// An argument with its key.
struct Call<A> {
    key: Vec<u8>,
    argument: A,
}

type OnError = Rc<dyn Fn(&BatchError)>;

struct Shared {
    operations: Operations,
    ttl: Option<Duration>,
    /// How often something was dirty. What began before the last time is not kept, whatever its key,
    /// rather than kept wrongly.
    dirtied: Cell<u64>,
    on_error: RefCell<OnError>,
}

impl<A: Serialize + 'static, T: Clone + 'static> Cached<A, T> {
    #[track_caller]
    pub(super) fn new(
        operations: Operations,
        codec: impl Codec<T> + 'static,
        prefix: &str,
        ttl: Option<Duration>,
        function: impl Fn(A) -> AsyncTask<T> + 'static,
    ) -> Self {
        assert!(
            prefix.len() <= MAX_KEY / 2 && is_plain(prefix.as_bytes()),
            "{prefix:?} cannot be the prefix of a cache: make it of at most {} bytes without spaces \
             and control characters",
            MAX_KEY / 2,
        );
        let shared = Rc::new(Shared {
            operations,
            ttl,
            dirtied: Cell::new(0),
            on_error: RefCell::new(Rc::new(|_| ())),
        });
        let (codec, function) = (Rc::new(codec), Rc::new(function));
        let read_through = {
            let shared = Rc::clone(&shared);
            move |Call { key, argument }| {
                static SITE: Site = Site::new("asynq::stores::cached");
                let (shared, codec) = (Rc::clone(&shared), Rc::clone(&codec));
                let function = Rc::clone(&function);
                AsyncTask::with_site(&SITE, async move {
                    shared.read_through(key, &*codec, || function(argument)).await
                })
            }
        };
        let calls = deduplicate_by(|call: &Call<A>| call.key.clone(), read_through);
        Self { calls, prefix: prefix.into(), shared }
    }

    /// Tells `hook` what went wrong with the cache: it could not be read or written, or what was in it
    /// could not be decoded.
    #[must_use]
    pub fn on_error(self, hook: impl Fn(&BatchError) + 'static) -> Self {
        self.shared.on_error.replace(Rc::new(hook));
        self
    }

    /// A task for the value that is kept or under way or, where there is none, for that of a new call.
    ///
    /// # Panics
    ///
    /// If the argument cannot be written as JSON.
    #[track_caller]
    pub fn asynq(&self, argument: A) -> AsyncTask<T> {
        self.calls.asynq(Call { key: self.key(&argument), argument })
    }

    /// The plain call: the value of [`asynq`](Self::asynq), now.
    ///
    /// # Panics
    ///
    /// If the argument cannot be written as JSON, or the function panics, or waits for something that
    /// can never come.
    #[track_caller]
    pub fn call(&self, argument: A) -> T {
        self.asynq(argument).value()
    }

    /// Forgets the value for this argument: the next call asks the function again. A call that is
    /// under way on this thread goes on for those who have it, and its value is not kept.
    ///
    /// # Panics
    ///
    /// If the argument cannot be written as JSON.
    #[track_caller]
    pub fn dirty(&self, argument: A) -> Asked<bool> {
        let call = Call { key: self.key(&argument), argument };
        self.shared.dirtied.set(self.shared.dirtied.get() + 1);
        self.calls.dirty(&call);
        self.shared.operations.write(call.key, Action::Delete, deleted)
    }

    #[track_caller]
    fn key(&self, argument: &A) -> Vec<u8> {
        let argument = serde_json::to_string(argument).unwrap_or_else(|error| {
            panic!("the argument of a cached function is part of its key, as JSON: {error}")
        });
        let key = format!("{}:{argument}", self.prefix).into_bytes();
        if key.len() <= MAX_KEY && is_plain(&key) {
            return key;
        }
        let hash = Sha256::digest(argument);
        let hex = hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        // No JSON begins like this.
        format!("{}:sha256-{hex}", self.prefix).into_bytes()
    }
}

impl Shared {
    fn tell(&self, error: &BatchError) {
        let on_error = Rc::clone(&self.on_error.borrow());
        on_error(error);
    }

    async fn read_through<T: 'static>(
        &self,
        key: Vec<u8>,
        codec: &impl Codec<T>,
        call: impl FnOnce() -> AsyncTask<T>,
    ) -> T {
        let mut get = self.operations.get(key.clone(), value);
        let kept = match (&mut get).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => codec.decode(&bytes).map(Some).map_err(|error| get.error(error)),
            Err(error) => Err(error),
        };
        match kept {
            Ok(Some(value)) => return value,
            Ok(None) => (),
            Err(error) => self.tell(&error),
        }
        let dirtied = self.dirtied.get();
        let value = call().await;
        let encoded = codec.encode(&value).map_err(|error| get.error(error));
        let written = match encoded {
            Ok(Some(value)) if self.dirtied.get() == dirtied => {
                let action = Action::Set { value, ttl: self.ttl };
                self.operations.write(key, action, stored).await
            }
            other => other.map(drop),
        };
        if let Err(error) = written {
            self.tell(&error);
        }
        value
    }
}

impl<A, T: 'static> Clone for Cached<A, T> {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
            prefix: Rc::clone(&self.prefix),
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<A, T: 'static> fmt::Debug for Cached<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
