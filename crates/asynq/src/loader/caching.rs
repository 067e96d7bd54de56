//! The cached keys of a loader: scopes, primed values and clears.

use super::handle::Loader;
use super::key::Key;
use super::local::LocalLoader;
use super::scope::Scope;
use super::scope_cache::Change;

/// Implements changes of the caches of a loader whose keys and values have these bounds.
macro_rules! caching {
    ($loader:ident, keys: [$($key_bounds:tt)*], values: [$($value_bounds:tt)*]) => {
        /// # Caching
        impl<K: $($key_bounds)*, V: $($value_bounds)*> $loader<K, V> {
            /// Adds a value to the current cache, if there is one. A pending value of `key`, which may be older,
            /// is not cached.
            pub fn prime(&self, key: K, value: V) {
                self.shared.detach(&key);
                if let Some(cache) = self.shared.current_cache() {
                    cache.change(Change::Insert(key, Ok(value)));
                }
            }

            /// Adds several values to the current cache: see [`prime`](Self::prime).
            ///
            /// ```
            #[doc = concat!(" use asynq::{FutureBase, ", stringify!($loader), "};")]
            ///
            #[doc = concat!(" let square = ", stringify!($loader), "::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>()).cache();")]
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
                self.shared.detach(key);
                if let Some(cache) = self.shared.current_cache() {
                    cache.change(Change::Remove(key.clone()));
                }
            }

            /// Removes all keys from the current cache. Pending values are not cached, and later loads request
            /// their keys again.
            pub fn clear_all(&self) {
                self.shared.clear_all();
            }
        }
    };
}

caching!(Loader, keys: [Key + Send + Sync], values: [Clone + Send + 'static]);
caching!(LocalLoader, keys: [Key], values: [Clone + 'static]);

/// # Scopes
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Loader<K, V> {
    /// Creates a context in which the loader has a cache of its own: for one part of a request, by
    /// [`with_context`](crate::with_context). A [`Group`](super::Group) has scopes for several loaders;
    /// [`cache_per_request`](Self::cache_per_request) needs none.
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
    pub fn scope(&self) -> Scope {
        self.shared.caches.enable();
        Scope::new(self.shared.id)
    }
}
