//! The cached keys of a loader: scopes, primed values and clears.

use std::collections::HashMap;
use std::fmt;

use super::group::Member;
use super::handle::LocalLoader;
use super::keys::Shared;
use super::scope_cache::{Change, ScopeCache, SharedCache};
use crate::context::{AsyncContext, ScopedOverride};
use crate::loader::key::Key;

/// Context of [`LocalLoader::scope`].
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct LocalScope<K, V>(ScopedOverride<Option<SharedCache<K, V>>>);

impl<K, V> AsyncContext for LocalScope<K, V> {
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

impl<K, V> fmt::Debug for LocalScope<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalScope").finish_non_exhaustive()
    }
}

/// # Caching
impl<K: Key, V: Clone + 'static> LocalLoader<K, V> {
    /// Creates a context in which the loader has a cache of its own: for one request, by
    /// [`with_context`](crate::with_context). A [`LocalGroup`](super::LocalGroup) has scopes for several loaders.
    ///
    /// ```
    /// use asynq::{AsyncTask, FutureBase, LocalLoader, with_context};
    ///
    /// let square = LocalLoader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
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
    pub fn scope(&self) -> LocalScope<K, V> {
        self.shared.scope()
    }

    /// Adds a value to the current cache, if there is one. A pending value of `key`, which may be older,
    /// is not cached.
    pub fn prime(&self, key: K, value: V) {
        self.detach(&key);
        if let Some(cache) = self.shared.current_cache() {
            cache.change(Change::Insert(key, Ok(value)));
        }
    }

    /// Adds several values to the current cache: see [`prime`](Self::prime).
    ///
    /// ```
    /// use asynq::{FutureBase, LocalLoader};
    ///
    /// let square = LocalLoader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>()).cache();
    /// square.prime_many((1..=3).map(|n| (n, n * n)));
    /// assert_eq!(square.load_many([1, 2, 3]).value().unwrap(), [1, 4, 9]);
    /// assert_eq!(square.stats().batches, 0);
    /// ```
    pub fn prime_many(&self, values: impl IntoIterator<Item = (K, V)>) {
        for (key, value) in values {
            self.prime(key, value);
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
        if let Some(place) = self.shared.table.find(hash, key) {
            self.shared.machine.borrow_mut().clear(place.slot);
        }
    }

    /// Removes all keys from the current cache. Pending values are not cached, and later loads request
    /// their keys again.
    pub fn clear_all(&self) {
        self.shared.clear_all();
    }
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    fn scope(&self) -> LocalScope<K, V> {
        self.caches.set(true);
        LocalScope(self.cache.override_with(Some(ScopeCache::new(HashMap::new()))))
    }
}

impl<K: Key, V: Clone + 'static> Member for Shared<K, V> {
    fn new_scope(&self) -> Box<dyn AsyncContext> {
        Box::new(self.scope())
    }

    fn clear_all(&self) {
        self.machine.borrow_mut().clear_all();
        if let Some(cache) = self.current_cache() {
            cache.change(Change::Clear);
        }
    }
}
