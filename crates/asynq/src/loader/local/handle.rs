//! The handle to a loader.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use asynq_loader::{Join, SlotId};

use super::fetch::Fetch;
use super::function::LocalBatchFunction;
use super::keys::{EndlessWait, KeyRequest, LocalKeys, LocalLoad, Shared};
use super::request::{CachedLoad, Caches, LocalCache, Request};
use super::slot_table::Place;
use crate::batch::{BoxError, Source};
use crate::futures::{All, TryAll, all, try_all};
use crate::loader::answer::Answer;
use crate::loader::error::LoadError;
use crate::loader::key::{Key, name};
use crate::loader::settings;
use crate::loader::stats::Stats;
use crate::recording::{self, Asked};

/// Source of values by a batch function: a function from many keys to their values.
///
/// The function gets the distinct keys in the order in which they were first requested. It returns a
/// map from keys to values, or a `Vec` with one value for each key ([`Answer`]). It may be async: its
/// batches then overlap with those of other sources, and with tasks that can run.
///
/// A key is requested once in a batch, and while that batch is in flight; its loads share the value,
/// which is `Clone`. A key that is missing from the answer fails with
/// [`LoadError::Missing`](crate::loader::LoadError::Missing), unless there is a
/// [`default`](Self::default_with).
///
/// Clones are handles to the same loader. A loader belongs to one thread; keep it in a
/// `thread_local!`.
///
/// ```
/// use std::collections::HashMap;
/// use asynq::{FutureBase, LocalLoader};
///
/// let user = LocalLoader::new(|ids: Vec<u32>| {
///     println!("SELECT … WHERE id IN {ids:?}");
///     ids.into_iter().map(|id| (id, format!("user {id}"))).collect::<HashMap<_, _>>()
/// });
/// assert_eq!(user.load(7).value().unwrap(), "user 7");
/// assert_eq!(user.load_many([1, 2]).value().unwrap(), ["user 1", "user 2"]);
/// ```
pub struct LocalLoader<K: Key, V: Clone + 'static> {
    source: Source<LocalKeys<K, V>>,
    /// Source of the keys that are cached.
    cached: Source<LocalKeys<K, V>>,
    pub(in crate::loader) shared: Rc<Shared<K, V>>,
}

impl<K: Key, V: Clone + 'static> LocalLoader<K, V> {
    /// Creates a loader by `function`, which returns a value for each key. It may be async, and then
    /// borrow what it captures:
    ///
    /// ```
    /// use asynq::{FutureBase, LocalLoader};
    ///
    /// struct Pool;
    ///
    /// impl Pool {
    ///     async fn names(&self, ids: &[u32]) -> Vec<String> {
    ///         ids.iter().map(|id| format!("user {id}")).collect()
    ///     }
    /// }
    ///
    /// let pool = Pool;
    /// let name = LocalLoader::new(async move |ids: Vec<u32>| pool.names(&ids).await);
    /// assert_eq!(name.load(7).value().unwrap(), "user 7");
    /// ```
    #[track_caller]
    pub fn new<Kind, F>(function: F) -> Self
    where
        F: LocalBatchFunction<K, Kind, Answer: Answer<K, Value = V>>,
    {
        Self::from_fetch(Fetch::new(function, Ok))
    }

    /// Creates a loader by `function`, which returns a `Result` for each key. An error fails the loads
    /// of its key alone. It need not be `Clone`: it is the [`source`](std::error::Error::source) of
    /// their errors.
    ///
    /// ```
    /// use asynq::{FutureBase, LocalLoader};
    ///
    /// let number = LocalLoader::try_new(|texts: Vec<&str>| {
    ///     texts.into_iter().map(str::parse::<u32>).collect::<Vec<_>>()
    /// })
    /// .name("number");
    /// assert_eq!(number.load("7").value().unwrap(), 7);
    /// let error = number.load("seven").value().unwrap_err();
    /// assert_eq!(error.to_string(), "batch number: key \"seven\": invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn try_new<Kind, F, E>(function: F) -> Self
    where
        F: LocalBatchFunction<K, Kind, Answer: Answer<K, Value = Result<V, E>>>,
        E: Into<BoxError>,
    {
        Self::from_fetch(Fetch::new(function, |value: Result<V, E>| value.map_err(Into::into)))
    }

    #[track_caller]
    pub(super) fn from_fetch(fetch: Fetch<K, V>) -> Self {
        let shared = Rc::new(Shared::new(fetch, Location::caller()));
        let source = Source::new(LocalKeys { shared: Rc::clone(&shared), round: None });
        let round = Some(source.clone());
        let cached = Source::new(LocalKeys { shared: Rc::clone(&shared), round });
        Self { source, cached, shared }
    }

    /// Requests one key.
    ///
    /// A cached key resolves at the same time as the keys that are sent, so caching never splits a
    /// later batch. If only cached keys are awaited, they resolve at once and nothing is sent.
    ///
    /// A key whose loads are all dropped before it is sent is not sent.
    #[inline]
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load(&self, key: K) -> LocalLoad<K, V> {
        if recording::is_on() {
            recording::asked(Asked::key(Location::caller(), &key));
        }
        if self.shared.defers() {
            self.source.item_asked(KeyRequest::New(key))
        } else {
            self.look_up(key)
        }
    }

    /// Requests one key, and looks for a load of an equal key at once.
    #[inline(never)]
    fn look_up(&self, key: K) -> LocalLoad<K, V> {
        let shared = &self.shared;
        if shared.has_deferred.get() {
            self.source.admit();
        }
        let cache = shared.current_cache();
        if let Some(outcome) = cache.as_ref().and_then(|cache| cache.get(&key)) {
            return self.load_cached(outcome);
        }
        let hash = shared.table.hash(&key);
        let before = shared.table.find(hash, &key);
        if let Some(place) = before
            && let Some(load) = self.join(place, &key, cache.as_ref())
        {
            return load;
        }
        let entry = if before.is_none() { Some(key.clone()) } else { None };
        // No code of users runs before the request is complete.
        let mut slot = SlotId::default();
        let load = self.source.item_with(|| {
            let now = if shared.is_timed.get() { settings::now() } else { 0 };
            slot = shared.machine.borrow_mut().load(now);
            KeyRequest::Slot(slot)
        });
        let item = load.downgrade();
        let (batch, index) = load.place();
        let place = Place { slot, batch, item: index };
        shared.requests.borrow_mut().insert(slot, Request::new(key, item));
        if let Some(cache) = cache {
            shared.caches_of.borrow_mut().insert(slot, Caches::One(cache));
        }
        match (before, entry) {
            (None, Some(key)) => shared.table.insert(hash, key, place),
            (Some(before), _) => shared.table.replace(hash, before.slot, place),
            (None, None) => {}
        }
        if shared.is_timed.get() {
            self.bound_wait(&load);
        }
        load
    }

    /// Bounds the wait of a load: its batch is flushed in time, whatever else can run.
    fn bound_wait(&self, load: &LocalLoad<K, V>) {
        self.shared.perform();
        let max_delay = self.shared.settings.borrow().max_delay;
        if self.shared.has_claims() {
            // It has filled a part.
            load.flush_after(Duration::ZERO);
        } else if let Some(delay) = max_delay
            && load.index() == 0
        {
            load.flush_after(delay);
        }
    }

    /// Shares the slot of an equal key, if it is pending.
    #[inline(never)]
    fn join(
        &self,
        place: Place,
        key: &K,
        cache: Option<&LocalCache<K, V>>,
    ) -> Option<LocalLoad<K, V>> {
        let (shared, slot) = (&self.shared, place.slot);
        let mut wait = None;
        let join = shared.machine.borrow_mut().join(slot, |part| {
            wait = shared.endless_wait(part);
            wait.is_some()
        });
        match join {
            Join::Gone => None,
            Join::SelfWait => {
                let key = name(key);
                let error = match wait {
                    Some(EndlessWait::Circle) => LoadError::Circle { key },
                    Some(EndlessWait::ForItself) | None => LoadError::SelfWait { key },
                };
                let load = self.cached.item(KeyRequest::ended());
                load.downgrade().set_outcome(Err::<V, _>(error));
                Some(load)
            }
            Join::Shared => {
                if let Some(cache) = cache {
                    shared.add_cache(slot, cache);
                }
                let unsent = || self.source.share(place.batch, place.item);
                let sent = || shared.requests.borrow().get(slot)?.item.upgrade();
                Some(unsent().or_else(sent).unwrap_or_else(|| self.load_again(slot)))
            }
        }
    }

    /// Creates an item of a key that is in flight although all of its loads were dropped.
    #[cold]
    fn load_again(&self, slot: SlotId) -> LocalLoad<K, V> {
        let load = self.source.item(KeyRequest::Slot(slot));
        if let Some(request) = self.shared.requests.borrow_mut().get_mut(slot) {
            request.item = load.downgrade();
        }
        self.bound_wait(&load);
        load
    }

    fn load_cached(&self, outcome: Result<V, LoadError>) -> LocalLoad<K, V> {
        let slot = self.shared.machine.borrow_mut().load_cached();
        let load = self.cached.item(KeyRequest::Slot(slot));
        let cached = CachedLoad { item: load.downgrade(), outcome, flush: None };
        self.shared.cached_loads.borrow_mut().insert(slot, cached);
        load
    }

    /// Requests several keys. The future returns all values in the order of the keys, or the first
    /// error in that order.
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load_many(&self, keys: impl IntoIterator<Item = K>) -> TryAll<Vec<LocalLoad<K, V>>> {
        try_all(self.loads(keys))
    }

    /// Requests several keys. The future returns a `Result` for each key, in their order.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use asynq::{FutureBase, LocalLoader};
    ///
    /// let name = LocalLoader::new(|_: Vec<u32>| HashMap::from([(1, "Ann")])).name("name");
    /// let [ann, nobody] = &name.load_each([1, 2]).value()[..] else { panic!() };
    /// assert_eq!(*ann.as_ref().unwrap(), "Ann");
    /// let error = nobody.as_ref().unwrap_err();
    /// assert_eq!(error.to_string(), "batch name: nothing came back for key 2");
    /// ```
    #[cfg_attr(feature = "explain", track_caller)]
    pub fn load_each(&self, keys: impl IntoIterator<Item = K>) -> All<Vec<LocalLoad<K, V>>> {
        all(self.loads(keys))
    }

    /// Requests several keys at the place of the caller, which a closure would not have.
    #[cfg_attr(feature = "explain", track_caller)]
    fn loads(&self, keys: impl IntoIterator<Item = K>) -> Vec<LocalLoad<K, V>> {
        let keys = keys.into_iter();
        let mut loads = Vec::with_capacity(keys.size_hint().0);
        for key in keys {
            loads.push(self.load(key));
        }
        loads
    }

    /// Returns the counts since the loader was created.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.source.admit();
        self.shared.stats()
    }
}

impl<K: Key, V: Clone + 'static> Clone for LocalLoader<K, V> {
    fn clone(&self) -> Self {
        let Self { source, cached, shared } = self;
        Self { source: source.clone(), cached: cached.clone(), shared: Rc::clone(shared) }
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for LocalLoader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalLoader({}, {:?})", self.shared.settings.borrow().name, self.stats())
    }
}
