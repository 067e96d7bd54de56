//! Caches of loaders.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

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
    /// Returns the limits of the cache, which hold for the errors of
    /// [`cache_errors`](super::Loader::cache_errors) as well. By default, there are none.
    fn limits(&self) -> CacheLimits {
        CacheLimits::default()
    }
}

/// Limits of a [`Cache`].
#[derive(Clone, Default)]
pub struct CacheLimits {
    /// Maximum number of values.
    pub capacity: Option<usize>,
    /// Time after which a value expires.
    pub ttl: Option<Duration>,
    /// Clock for that time, if it is not [`Instant::now`].
    pub clock: Option<Arc<dyn Fn() -> Instant + Send + Sync>>,
}

impl CacheLimits {
    /// Creates an empty cache with these limits.
    pub(super) fn cache<K: Eq + Hash, V>(self) -> Lru<K, V> {
        let mut cache = match self.capacity {
            Some(capacity) => Lru::new(capacity, self.ttl),
            None => Lru { values: LruCache::unbounded(), ..Lru::new(1, self.ttl) },
        };
        if let Some(clock) = self.clock {
            cache.clock = clock;
        }
        cache
    }
}

impl fmt::Debug for CacheLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capacity, ttl, .. } = self;
        f.debug_struct("CacheLimits")
            .field("capacity", capacity)
            .field("ttl", ttl)
            .finish_non_exhaustive()
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
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl<K: Eq + Hash, V> Lru<K, V> {
    /// Creates a cache of at most `capacity` values (at least 1). A value expires after `ttl`; with
    /// `None`, it does not.
    #[must_use]
    pub fn new(capacity: usize, ttl: impl Into<Option<Duration>>) -> Self {
        let capacity = NonZero::new(capacity).unwrap_or(NonZero::<usize>::MIN);
        Self { values: LruCache::new(capacity), ttl: ttl.into(), clock: Arc::new(Instant::now) }
    }

    /// Reads the time from `clock`, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
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

    fn limits(&self) -> CacheLimits {
        let Self { ttl, clock, .. } = self;
        let capacity = Some(self.values.cap().get());
        CacheLimits { capacity, ttl: *ttl, clock: Some(Arc::clone(clock)) }
    }
}

impl<K: Eq + Hash, V> fmt::Debug for Lru<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lru").field("len", &self.values.len()).finish_non_exhaustive()
    }
}
