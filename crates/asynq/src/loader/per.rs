//! Loaders of values, such as a tenant: one loader for each.

use std::fmt;
use std::hash::Hash;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use super::handle::Loader;
use super::key::Key;

/// Number of loaders that are kept although nobody loads.
const KEPT: NonZero<usize> = NonZero::new(1000).expect("not zero");

/// Creates a loader for each value of `T` that asks for one, by `make`: for what the values of keys depend on, such as a tenant,
/// a user or a locale. Each loader has batches, caches and statistics of its own, so no request gets values of another tenant.
///
/// The last 1000 loaders are kept; others live as long as somebody has a handle or a load of theirs.
///
/// ```
/// use std::sync::LazyLock;
/// use asynq::loader::{Per, per};
/// use asynq::{Loader, request};
///
/// static NAME: LazyLock<Per<&str, u32, String>> = LazyLock::new(|| {
///     per(|tenant: &&str| {
///         let tenant = *tenant;
///         Loader::new(move |ids: Vec<u32>| {
///             ids.iter().map(|id| format!("user {id} of {tenant}")).collect::<Vec<_>>()
///         })
///     })
/// });
///
/// let name = request(async { NAME.of("acme").load(7).await.unwrap() });
/// assert_eq!(futures::executor::block_on(name), "user 7 of acme");
/// ```
pub fn per<T, K, V>(make: impl Fn(&T) -> Loader<K, V> + Send + Sync + 'static) -> Per<T, K, V>
where
    T: Eq + Hash,
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    Per { make: Box::new(make), loaders: Mutex::new(LruCache::new(KEPT)) }
}

type Make<T, K, V> = Box<dyn Fn(&T) -> Loader<K, V> + Send + Sync>;

/// Loaders of values: see [`per`].
pub struct Per<T, K: Key + Send + Sync, V: Clone + Send + 'static> {
    make: Make<T, K, V>,
    loaders: Mutex<LruCache<T, Loader<K, V>>>,
}

impl<T, K, V> Per<T, K, V>
where
    T: Eq + Hash,
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    /// Returns the loader of a value.
    pub fn of(&self, value: T) -> Loader<K, V> {
        if let Some(loader) = self.with(|loaders| loaders.get(&value).cloned()) {
            return loader;
        }
        let made = (self.make)(&value);
        let (loader, removed) = self.with(|loaders| match loaders.get(&value).cloned() {
            // Another thread was faster.
            Some(loader) => (loader, None),
            None => (made.clone(), loaders.push(value, made)),
        });
        drop(removed);
        loader
    }

    fn with<R>(&self, f: impl FnOnce(&mut LruCache<T, Loader<K, V>>) -> R) -> R {
        f(&mut self.loaders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T, K: Key + Send + Sync, V: Clone + Send + 'static> fmt::Debug for Per<T, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Per").finish_non_exhaustive()
    }
}
