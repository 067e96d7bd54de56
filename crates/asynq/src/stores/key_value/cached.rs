//! Functions with a cache in a key-value store.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::codec::Codec;
use super::key_format::{MAX_KEY, is_plain};
use super::operation::{Action, Reply};
use super::operation_future::OperationFuture;
use super::operations::Operations;
use crate::batch::BatchError;
use crate::call_stack::Site;
use crate::futures::FutureBase;
use crate::task::{AsyncCall, AsyncTask};
use crate::tools::{Deduplicate, deduplicate_by};

/// Function with a cache in a key-value store, made by [`KeyValue::cached`](super::KeyValue::cached),
/// [`try_cached`](super::KeyValue::try_cached) or [`cached_as`](super::KeyValue::cached_as).
///
/// A call first gets the value from the store. If it is missing, the call runs the function and sets
/// the value. The calls of many tasks share one request for all gets, and one for all sets. Equal calls
/// that are pending share one task, as with [`deduplicate`](crate::tools::deduplicate()).
///
/// A failure of the cache never fails a call. If the store cannot be reached, or a value cannot be
/// decoded, the call runs the function, and [`on_error`](Self::on_error) gets the error. A store that
/// does not answer delays each call by up to twice its [`timeout`](super::KeyValue::timeout), once for
/// the get and once for the set: set one.
///
/// The key consists of the prefix and the argument as JSON. In JSON, `NaN`, infinities and `None` are
/// all `null`, and a map has its own order, which is arbitrary for a `HashMap`. If that is no valid key
/// of memcached, the key consists of the prefix and the SHA-256 of the JSON, in any store. Functions
/// with the same prefix share their values.
///
/// Clones are handles to the same function. It belongs to one thread, as the store does.
pub struct Cached<A, T: 'static> {
    calls: Deduplicate<Call<A>, T, Vec<u8>>,
    prefix: Rc<str>,
    shared: Rc<Shared>,
}

/// Argument and key of a call.
struct Call<A> {
    key: Vec<u8>,
    argument: A,
}

type OnError = Rc<dyn Fn(&BatchError)>;

struct Shared {
    operations: Operations,
    ttl: Option<Duration>,
    /// Number of calls of `dirty`. A call that began before the last of them does not set its value,
    /// whatever its key: it may be outdated.
    dirtied: Cell<u64>,
    on_error: RefCell<OnError>,
}

impl<A: Serialize + 'static, T: Clone + 'static> Cached<A, T> {
    #[track_caller]
    pub(super) fn new<C: AsyncCall<Output = T>>(
        operations: Operations,
        codec: impl Codec<T> + 'static,
        prefix: &str,
        ttl: Option<Duration>,
        function: impl Fn(A) -> C + 'static,
    ) -> Self {
        assert!(
            prefix.len() <= MAX_KEY / 2 && is_plain(prefix.as_bytes()),
            "{prefix:?} cannot be the prefix of a cache; use at most {} bytes without spaces and \
             control characters",
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

    /// Calls `hook` with each error of the cache: a value could not be read, written or decoded.
    #[must_use]
    pub fn on_error(self, hook: impl Fn(&BatchError) + 'static) -> Self {
        self.shared.on_error.replace(Rc::new(hook));
        self
    }

    /// Creates a task for the cached value, or for the value of a pending or new call.
    ///
    /// # Panics
    ///
    /// If the argument cannot be encoded as JSON.
    #[track_caller]
    pub fn asynq(&self, argument: A) -> AsyncTask<T> {
        self.calls.asynq(Call { key: self.key(&argument), argument })
    }

    /// Calls the function synchronously: returns the value of [`asynq`](Self::asynq).
    ///
    /// # Panics
    ///
    /// If the argument cannot be encoded as JSON, or the function panics or takes part in a deadlock.
    #[track_caller]
    pub fn call(&self, argument: A) -> T {
        self.asynq(argument).value()
    }

    /// Deletes the value for this argument: the next call runs the function again. A call that is
    /// pending on this thread goes on, but its value is not cached.
    ///
    /// # Panics
    ///
    /// If the argument cannot be encoded as JSON.
    #[track_caller]
    pub fn dirty(&self, argument: A) -> OperationFuture<bool> {
        let call = Call { key: self.key(&argument), argument };
        self.shared.dirtied.set(self.shared.dirtied.get() + 1);
        self.calls.dirty(&call);
        self.shared.operations.write(call.key, Action::Delete, Reply::into_deleted)
    }

    #[track_caller]
    fn key(&self, argument: &A) -> Vec<u8> {
        let argument = serde_json::to_string(argument).unwrap_or_else(|error| {
            panic!(
                "the argument of a cached function cannot be encoded as JSON for its key: {error}"
            )
        });
        let key = format!("{}:{argument}", self.prefix).into_bytes();
        if key.len() <= MAX_KEY && is_plain(&key) {
            return key;
        }
        let hash = Sha256::digest(argument);
        let hex = hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        // No JSON begins with this text.
        format!("{}:sha256-{hex}", self.prefix).into_bytes()
    }
}

impl Shared {
    fn report(&self, error: &BatchError) {
        let on_error = Rc::clone(&self.on_error.borrow());
        on_error(error);
    }

    async fn read_through<T, C: AsyncCall<Output = T>>(
        &self,
        key: Vec<u8>,
        codec: &impl Codec<T>,
        call: impl FnOnce() -> C,
    ) -> T {
        let mut get = self.operations.get(key.clone(), Reply::into_value);
        let cached = match (&mut get).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => codec.decode(&bytes).map(Some).map_err(|error| get.error(error)),
            Err(error) => Err(error),
        };
        match cached {
            Ok(Some(value)) => return value,
            Ok(None) => (),
            Err(error) => self.report(&error),
        }
        let dirtied = self.dirtied.get();
        let value = call().await;
        let encoded = codec.encode(&value).map_err(|error| get.error(error));
        let written = match encoded {
            Ok(Some(value)) if self.dirtied.get() == dirtied => {
                let action = Action::Set { value, ttl: self.ttl };
                self.operations.write(key, action, Reply::into_stored).await
            }
            other => other.map(drop),
        };
        if let Err(error) = written {
            self.report(&error);
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
