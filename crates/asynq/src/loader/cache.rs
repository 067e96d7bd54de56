//! Caches of loaders.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::error::LoadError;

/// Cache of a loader.
pub trait Cache<K, V> {
    /// Returns the cached value of a key.
    fn get(&mut self, key: &K) -> Option<V>;
    /// Adds a value, or replaces it.
    fn insert(&mut self, key: K, value: V);
    /// Removes the value of a key.
    fn remove(&mut self, key: &K);
    /// Removes all values.
    fn clear(&mut self);
    /// Creates an empty cache for the errors of [`cache_errors`](super::Loader::cache_errors), with
    /// the same capacity and time to live. By default a map, which has no limits.
    fn for_errors(&self) -> Box<dyn Cache<K, LoadError>>
    where
        K: Eq + Hash + 'static,
    {
        Box::new(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Clone, S: BuildHasher> Cache<K, V> for HashMap<K, V, S> {
    fn get(&mut self, key: &K) -> Option<V> {
        HashMap::get(self, key).cloned()
    }

    fn insert(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn remove(&mut self, key: &K) {
        self.remove(key);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl<K: Ord, V: Clone> Cache<K, V> for BTreeMap<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        BTreeMap::get(self, key).cloned()
    }

    fn insert(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn remove(&mut self, key: &K) {
        self.remove(key);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// Cache of the values that were used last, with an optional time to live.
pub struct Lru<K, V> {
    values: LruCache<K, (V, Instant)>,
    ttl: Option<Duration>,
    clock: Rc<dyn Fn() -> Instant>,
}

impl<K: Eq + Hash, V> Lru<K, V> {
    /// Creates a cache of at most `capacity` values (at least 1). A value expires after `ttl`; with
    /// `None`, it does not.
    #[must_use]
    pub fn new(capacity: usize, ttl: impl Into<Option<Duration>>) -> Self {
        let capacity = NonZero::new(capacity).unwrap_or(NonZero::<usize>::MIN);
        Self { values: LruCache::new(capacity), ttl: ttl.into(), clock: Rc::new(Instant::now) }
    }

    /// Reads the time from `clock`, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Instant + 'static) -> Self {
        self.clock = Rc::new(clock);
        self
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> for Lru<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        let now = (self.clock)();
        let (value, inserted) = self.values.get(key)?;
        if self.ttl.is_none_or(|ttl| now.saturating_duration_since(*inserted) < ttl) {
            return Some(value.clone());
        }
        self.values.pop(key);
        None
    }

    fn insert(&mut self, key: K, value: V) {
        self.values.put(key, (value, (self.clock)()));
    }

    fn remove(&mut self, key: &K) {
        self.values.pop(key);
    }

    fn clear(&mut self) {
        self.values.clear();
    }

    fn for_errors(&self) -> Box<dyn Cache<K, LoadError>>
    where
        K: 'static,
    {
        let Self { ttl, clock, .. } = self;
        let values = LruCache::new(self.values.cap());
        Box::new(Lru { values, ttl: *ttl, clock: Rc::clone(clock) })
    }
}

impl<K: Eq + Hash, V> fmt::Debug for Lru<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lru").field("len", &self.values.len()).finish_non_exhaustive()
    }
}

/// Cache of one scope, which a loader shares with its requests.
pub(super) type SharedCache<K, V> = Rc<ScopeCache<K, V>>;

/// Cached values and errors of one scope.
///
/// Caches run code of users, which may call the loader. So they are taken out while they are used: a
/// call inside finds nothing, and its changes are made afterwards.
pub(super) struct ScopeCache<K, V> {
    caches: Cell<Option<Caches<K, V>>>,
    changes: RefCell<VecDeque<Change<K, V>>>,
}

struct Caches<K, V> {
    values: Box<dyn Cache<K, V>>,
    errors: Box<dyn Cache<K, LoadError>>,
}

pub(super) enum Change<K, V> {
    Insert(K, Result<V, LoadError>),
    Remove(K),
    Clear,
}

/// The caches, taken out of their scope until this is dropped.
struct Taken<'c, K, V> {
    scope: &'c ScopeCache<K, V>,
    caches: Option<Caches<K, V>>,
}

impl<K: Eq + Hash + 'static, V: Clone + 'static> ScopeCache<K, V> {
    pub(super) fn new(values: impl Cache<K, V> + 'static) -> SharedCache<K, V> {
        let errors = values.for_errors();
        let caches = Caches { errors, values: Box::new(values) };
        Rc::new(Self { caches: Cell::new(Some(caches)), changes: RefCell::default() })
    }

    pub(super) fn get(&self, key: &K) -> Option<Result<V, LoadError>> {
        let mut taken = self.take()?;
        let caches = taken.caches.as_mut()?;
        match caches.values.get(key) {
            Some(value) => Some(Ok(value)),
            None => caches.errors.get(key).map(Err),
        }
    }

    pub(super) fn change(&self, change: Change<K, V>) {
        self.changes.borrow_mut().push_back(change);
        drop(self.take());
    }

    fn take(&self) -> Option<Taken<'_, K, V>> {
        let caches = self.caches.take()?;
        Some(Taken { scope: self, caches: Some(caches) })
    }
}

impl<K, V> ScopeCache<K, V> {
    fn next_change(&self) -> Option<Change<K, V>> {
        self.changes.borrow_mut().pop_front()
    }
}

impl<K, V> Caches<K, V> {
    fn change(&mut self, change: Change<K, V>) {
        match change {
            Change::Insert(key, Ok(value)) => {
                self.errors.remove(&key);
                self.values.insert(key, value);
            }
            Change::Insert(key, Err(error)) => self.errors.insert(key, error),
            Change::Remove(key) => {
                self.values.remove(&key);
                self.errors.remove(&key);
            }
            Change::Clear => {
                self.values.clear();
                self.errors.clear();
            }
        }
    }
}

impl<K, V> Drop for Taken<'_, K, V> {
    fn drop(&mut self) {
        if let Some(caches) = &mut self.caches
            && !thread::panicking()
        {
            while let Some(change) = self.scope.next_change() {
                caches.change(change);
            }
        }
        self.scope.caches.set(self.caches.take());
    }
}
