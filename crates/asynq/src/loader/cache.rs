//! What a loader keeps.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::error::LoadError;
use super::handle::Key;

/// Where a loader keeps what it has loaded.
pub trait Cache<K, V> {
    /// What is kept for a key.
    fn get(&mut self, key: &K) -> Option<V>;
    /// Keeps a value.
    fn insert(&mut self, key: K, value: V);
    /// Forgets what is kept for a key.
    fn remove(&mut self, key: &K);
    /// Forgets everything.
    fn clear(&mut self);
    /// Another one, empty, for the errors that are kept by
    /// [`cache_errors`](super::Loader::cache_errors): as large as this, and for as long. By default
    /// a map, which keeps all.
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

/// Keeps the values that were used last, each for some time.
pub struct Lru<K, V> {
    kept: LruCache<K, (V, Instant)>,
    ttl: Option<Duration>,
    clock: Rc<dyn Fn() -> Instant>,
}

impl<K: Eq + Hash, V> Lru<K, V> {
    /// Room for so many values, at least one; each for as long as `ttl`, or until there is no room.
    #[must_use]
    pub fn new(capacity: usize, ttl: impl Into<Option<Duration>>) -> Self {
        let capacity = NonZero::new(capacity).unwrap_or(NonZero::<usize>::MIN);
        Self { kept: LruCache::new(capacity), ttl: ttl.into(), clock: Rc::new(Instant::now) }
    }

    /// Reads the time from `clock`, in tests for instance.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Instant + 'static) -> Self {
        self.clock = Rc::new(clock);
        self
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> for Lru<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        let now = (self.clock)();
        let (value, since) = self.kept.get(key)?;
        if self.ttl.is_none_or(|ttl| now.saturating_duration_since(*since) < ttl) {
            return Some(value.clone());
        }
        self.kept.pop(key);
        None
    }

    fn insert(&mut self, key: K, value: V) {
        self.kept.put(key, (value, (self.clock)()));
    }

    fn remove(&mut self, key: &K) {
        self.kept.pop(key);
    }

    fn clear(&mut self) {
        self.kept.clear();
    }

    fn for_errors(&self) -> Box<dyn Cache<K, LoadError>>
    where
        K: 'static,
    {
        let Self { ttl, clock, .. } = self;
        let kept = LruCache::new(self.kept.cap());
        Box::new(Lru { kept, ttl: *ttl, clock: Rc::clone(clock) })
    }
}

impl<K: Eq + Hash, V> fmt::Debug for Lru<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lru").field("len", &self.kept.len()).finish_non_exhaustive()
    }
}

/// Where a loader keeps what it loads.
pub(super) type Place<K, V> = Rc<RefCell<Kept<K, V>>>;

/// What is kept in one scope.
pub(super) struct Kept<K, V> {
    values: Box<dyn Cache<K, V>>,
    errors: Box<dyn Cache<K, LoadError>>,
}

impl<K: Key, V: Clone + 'static> Kept<K, V> {
    pub(super) fn new(values: impl Cache<K, V> + 'static) -> Self {
        Self { errors: values.for_errors(), values: Box::new(values) }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<Result<V, LoadError>> {
        match self.values.get(key) {
            Some(value) => Some(Ok(value)),
            None => self.errors.get(key).map(Err),
        }
    }

    pub(super) fn insert(&mut self, key: K, outcome: Result<V, LoadError>) {
        match outcome {
            Ok(value) => {
                self.errors.remove(&key);
                self.values.insert(key, value);
            }
            Err(error) => {
                self.errors.insert(key, error);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.values.remove(key);
        self.errors.remove(key);
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.errors.clear();
    }
}
