//! The cached keys of a loader: scopes, primed values and clears.

use std::collections::HashMap;
use std::fmt;

use super::group::Member;
use super::handle::LocalLoader;
use super::keys::Shared;
use super::request::LocalCache;
use crate::context::{AsyncContext, ScopedOverride};
use crate::loader::key::Key;
use crate::loader::scope_cache::{Change, ScopeCache};

/// Context of [`LocalLoader::scope`].
#[must_use = "a scope does nothing unless it is entered: `with_context(scope, future)`"]
pub struct LocalScope<K, V>(ScopedOverride<Option<LocalCache<K, V>>>);

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

/// # Scopes
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
        self.shared.open_scope()
    }
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    fn open_scope(&self) -> LocalScope<K, V> {
        self.caches.set(true);
        LocalScope(
            self.cache.override_with(Some(ScopeCache::new(Box::new(HashMap::new()) as Box<_>))),
        )
    }

    /// Detaches the pending value of a key, which may be older than what happens now.
    pub(in crate::loader) fn detach(&self, key: &K) {
        let hash = self.table.hash(key);
        if let Some(place) = self.table.find(hash, key) {
            self.machine.borrow_mut().clear(place.slot);
        }
    }

    /// Detaches all pending values, and clears the current cache.
    pub(in crate::loader) fn clear_all(&self) {
        self.machine.borrow_mut().clear_all();
        if let Some(cache) = self.current_cache() {
            cache.change(Change::Clear);
        }
    }
}

impl<K: Key, V: Clone + 'static> Member for Shared<K, V> {
    fn new_scope(&self) -> Box<dyn AsyncContext> {
        Box::new(self.open_scope())
    }

    fn clear_all(&self) {
        Shared::clear_all(self);
    }
}
