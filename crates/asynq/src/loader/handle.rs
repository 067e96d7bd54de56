//! The handle to a loader.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
#[cfg(feature = "blocking")]
use std::pin::Pin;
use std::rc::Rc;

use asynq_loader::{Join, SlotId};

use super::answer::{Answer, Returned};

use super::cache::{Change, ScopeCache, SharedCache};
use super::error::LoadError;
use super::fetch::Fetch;
use super::keys::{Key, KeyRequest, Keys, Load, Shared, name};
use super::request::{CachedLoad, Caches, Request};
use super::stats::Stats;
use crate::batch::{BoxError, Source};
use crate::context::AsyncContext;
use crate::context::ScopedOverride;
#[cfg(feature = "blocking")]
use crate::debug::format_asynq_stack;
use crate::futures::{TryAll, try_all};
#[cfg(feature = "blocking")]
use crate::worker::unblock;

/// Context of [`Loader::scope`].
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct Scope<K, V>(ScopedOverride<Option<SharedCache<K, V>>>);

impl<K, V> AsyncContext for Scope<K, V> {
    fn resume(&self) {
        self.0.resume();
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn name(&self) -> String {
        "scope of a loader".to_owned()
    }
}

impl<K, V> fmt::Debug for Scope<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Source of values by a batch function: a function from many keys to their values.
///
/// The function gets the distinct keys in the order in which they were first requested. It returns a
/// map from keys to values, or a `Vec` with one value for each key ([`Answer`]). It may be async: its
/// batches then overlap with those of other sources, and with tasks that can run.
///
/// A key is requested once in a batch, and while that batch is in flight; its loads share the value,
/// which is `Clone`. A key that is missing from the answer fails with
/// [`LoadError::Missing`](super::LoadError::Missing), unless there is a
/// [`default`](Self::default_with).
///
/// Clones are handles to the same loader. A loader belongs to one thread; keep it in a
/// `thread_local!`.
///
/// ```
/// use std::collections::HashMap;
/// use asynq::{FutureBase, Loader};
///
/// let user = Loader::new(|ids: Vec<u32>| {
///     println!("SELECT … WHERE id IN {ids:?}");
///     ids.into_iter().map(|id| (id, format!("user {id}"))).collect::<HashMap<_, _>>()
/// });
/// assert_eq!(user.load(7).value().unwrap(), "user 7");
/// assert_eq!(user.load_many([1, 2]).value().unwrap(), ["user 1", "user 2"]);
/// ```
pub struct Loader<K: Key, V: Clone + 'static> {
    source: Source<Keys<K, V>>,
    /// Source of the keys that are cached.
    cached: Source<Keys<K, V>>,
    pub(super) shared: Rc<Shared<K, V>>,
}

impl<K: Key, V: Clone + 'static> Loader<K, V> {
    /// Creates a loader by `function`, which returns a value for each key.
    #[track_caller]
    pub fn new<Kind, R>(function: impl Fn(Vec<K>) -> R + 'static) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = V>>,
    {
        Self::from_fetch(Fetch::new(function, Ok))
    }

    /// Creates a loader by `function`, which returns a `Result` for each key. An error fails the loads
    /// of its key alone. It need not be `Clone`: it is the [`source`](std::error::Error::source) of
    /// their errors.
    ///
    /// ```
    /// use asynq::{FutureBase, Loader};
    ///
    /// let number = Loader::try_new(|texts: Vec<&str>| {
    ///     texts.into_iter().map(str::parse::<u32>).collect::<Vec<_>>()
    /// })
    /// .name("number");
    /// assert_eq!(number.load("7").value().unwrap(), 7);
    /// let error = number.load("seven").value().unwrap_err();
    /// assert_eq!(error.to_string(), "batch number: key \"seven\": invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn try_new<Kind, R, E>(function: impl Fn(Vec<K>) -> R + 'static) -> Self
    where
        R: Returned<K, Kind, Answer: Answer<K, Value = Result<V, E>>>,
        E: Into<BoxError>,
    {
        Self::from_fetch(Fetch::new(function, |value: Result<V, E>| value.map_err(Into::into)))
    }

    /// Creates a loader by a `function` that blocks its thread. It runs on a worker thread, so its
    /// batches overlap with those of other sources.
    ///
    /// There are at most 500 worker threads in a process, or as many as the environment variable
    /// `BLOCKING_MAX_THREADS` says; further batches wait for one. If the function calls such a loader
    /// itself, the batch runs on the same thread. 32 nested ones count as an endless recursion and panic.
    ///
    /// On the worker thread, the asynq stack is the one of the flush, and so is the `tracing` span
    /// (with that feature). Contexts and thread-locals are not available there, nor is a
    /// [`ScopedValue`](crate::ScopedValue). Put their values into the key; or read them in the
    /// function of a [`new`](Self::new) loader, which runs here and can return a future of the work on
    /// a thread.
    #[cfg(feature = "blocking")]
    #[track_caller]
    pub fn blocking<A>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
    where
        K: Send,
        A: Answer<K, Value = V> + Send + 'static,
    {
        Self::new(on_worker_thread(function))
    }

    /// Creates a loader by a `function` that blocks its thread and returns a `Result` for each key: see
    /// [`blocking`](Self::blocking) and [`try_new`](Self::try_new).
    #[cfg(feature = "blocking")]
    #[track_caller]
    pub fn try_blocking<A, E>(function: impl Fn(Vec<K>) -> A + Send + Sync + 'static) -> Self
    where
        K: Send,
        A: Answer<K, Value = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::try_new(on_worker_thread(function))
    }

    #[track_caller]
    fn from_fetch(fetch: Fetch<K, V>) -> Self {
        let shared = Rc::new(Shared::new(fetch, Location::caller()));
        let source = Source::new(Keys { shared: Rc::clone(&shared), round: None });
        let round = Some(source.clone());
        let cached = Source::new(Keys { shared: Rc::clone(&shared), round });
        Self { source, cached, shared }
    }

    /// Requests one key.
    ///
    /// A cached key resolves at the same time as the keys that are sent, so caching never splits a
    /// later batch. If only cached keys are awaited, they resolve at once and nothing is sent.
    ///
    /// A key whose loads are all dropped before it is sent is not sent.
    pub fn load(&self, key: K) -> Load<K, V> {
        let shared = &self.shared;
        let cache = shared.current_cache();
        if let Some(outcome) = cache.as_ref().and_then(|cache| cache.get(&key)) {
            return self.load_cached(outcome);
        }
        let hash = shared.table.hash(&key);
        let before = shared.table.find(hash, &key);
        if let Some(slot) = before
            && let Some(load) = self.join(slot, &key, cache.as_ref())
        {
            return load;
        }
        let entry = if before.is_none() { Some(key.clone()) } else { None };
        // No code of users runs before the request is complete.
        let mut slot = SlotId::default();
        let load = self.source.item_with(|| {
            slot = shared.machine.borrow_mut().load(0);
            KeyRequest { slot }
        });
        let request = Request { key: Some(key), item: load.downgrade(), index: 0 };
        shared.requests.borrow_mut().insert(slot, request);
        if let Some(cache) = cache {
            shared.caches_of.borrow_mut().insert(slot, Caches::One(cache));
        }
        match (before, entry) {
            (None, Some(key)) => shared.table.insert(hash, key, slot),
            (Some(before), _) => shared.table.replace(hash, before, slot),
            (None, None) => {}
        }
        load
    }

    /// Shares the slot of an equal key, if it is pending.
    #[inline(never)]
    fn join(&self, slot: SlotId, key: &K, cache: Option<&SharedCache<K, V>>) -> Option<Load<K, V>> {
        let shared = &self.shared;
        let join = shared.machine.borrow_mut().join(slot, |part| shared.is_asker(part));
        match join {
            Join::Gone => None,
            Join::SelfWait => {
                let load = self.cached.item(KeyRequest::ended());
                load.downgrade().set_outcome(Err::<V, _>(LoadError::SelfWait { key: name(key) }));
                Some(load)
            }
            Join::Shared => {
                if let Some(cache) = cache {
                    shared.add_cache(slot, cache);
                }
                let item = shared.requests.borrow().get(slot).and_then(|one| one.item.upgrade());
                Some(item.unwrap_or_else(|| self.load_again(slot)))
            }
        }
    }

    /// Creates an item of a key that is in flight although all of its loads were dropped.
    #[cold]
    fn load_again(&self, slot: SlotId) -> Load<K, V> {
        let load = self.source.item(KeyRequest { slot });
        if let Some(request) = self.shared.requests.borrow_mut().get_mut(slot) {
            request.item = load.downgrade();
        }
        load
    }

    fn load_cached(&self, outcome: Result<V, LoadError>) -> Load<K, V> {
        let slot = self.shared.machine.borrow_mut().load_cached();
        let load = self.cached.item(KeyRequest { slot });
        let cached = CachedLoad { item: load.downgrade(), outcome, flush: None };
        self.shared.cached_loads.borrow_mut().insert(slot, cached);
        load
    }

    /// Requests several keys. The future returns all values in the order of the keys, or the first
    /// error in that order.
    pub fn load_many(&self, keys: impl IntoIterator<Item = K>) -> TryAll<Vec<Load<K, V>>> {
        try_all(keys.into_iter().map(|key| self.load(key)).collect::<Vec<_>>())
    }

    /// Creates a context in which the loader has a cache of its own: for one request, by
    /// [`with_context`](crate::with_context).
    ///
    /// ```
    /// use asynq::{AsyncTask, FutureBase, Loader, with_context};
    ///
    /// let square = Loader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
    /// let request = AsyncTask::new({
    ///     let square = square.clone();
    ///     async move {
    ///         with_context(square.scope(), async {
    ///             (square.load(3).await.unwrap(), square.load(3).await.unwrap())
    ///         })
    ///         .await
    ///     }
    /// });
    /// assert_eq!(request.value(), (9, 9));
    /// assert_eq!(square.stats().batches, 1);
    /// ```
    pub fn scope(&self) -> Scope<K, V> {
        self.shared.caches.set(true);
        Scope(self.shared.cache.override_with(Some(ScopeCache::new(HashMap::new()))))
    }

    /// Adds a value to the current cache, if there is one. A pending value of `key`, which may be older,
    /// is not cached.
    pub fn prime(&self, key: K, value: V) {
        self.detach(&key);
        if let Some(cache) = self.shared.current_cache() {
            cache.change(Change::Insert(key, Ok(value)));
        }
    }

    /// Removes `key` from the current cache. A pending value of it is not cached, and later loads
    /// request the key again.
    pub fn clear(&self, key: &K) {
        self.detach(key);
        if let Some(cache) = self.shared.current_cache() {
            cache.change(Change::Remove(key.clone()));
        }
    }

    /// Detaches a key that is in flight.
    fn detach(&self, key: &K) {
        let hash = self.shared.table.hash(key);
        if let Some(slot) = self.shared.table.find(hash, key) {
            self.shared.machine.borrow_mut().clear(slot);
        }
    }

    /// Removes all keys from the current cache. Pending values are not cached, and later loads request
    /// their keys again.
    pub fn clear_all(&self) {
        self.shared.machine.borrow_mut().clear_all();
        if let Some(cache) = self.shared.current_cache() {
            cache.change(Change::Clear);
        }
    }

    /// Returns the counts since the loader was created.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

/// Wraps a function so that it runs on a worker thread.
#[cfg(feature = "blocking")]
fn on_worker_thread<K, A>(
    function: impl Fn(Vec<K>) -> A + Send + Sync + 'static,
) -> impl Fn(Vec<K>) -> Pin<Box<dyn Future<Output = A>>>
where
    K: Send + 'static,
    A: Send + 'static,
{
    let function = std::sync::Arc::new(function);
    move |keys| {
        let function = std::sync::Arc::clone(&function);
        let stack = format_asynq_stack().unwrap_or_default();
        #[cfg(feature = "tracing")]
        let span = tracing::Span::current();
        Box::pin(unblock(move || {
            #[cfg(feature = "tracing")]
            let _inside = span.enter();
            stack.beneath(|| function(keys))
        }))
    }
}

impl<K: Key, V: Clone + 'static> Clone for Loader<K, V> {
    fn clone(&self) -> Self {
        let Self { source, cached, shared } = self;
        Self { source: source.clone(), cached: cached.clone(), shared: Rc::clone(shared) }
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for Loader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loader({}, {:?})", self.shared.settings.borrow().name, self.stats())
    }
}
