//! Configuration of a loader, by methods that return it.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::cache::{Cache, ScopeCache};
use super::handle::Loader;
use super::keys::Key;
use super::settings::Settings;
use super::stats::Flushed;
use crate::scheduler::Limit;

/// # Configuration
impl<K: Key, V: Clone + 'static> Loader<K, V> {
    fn set(self, set: impl FnOnce(&mut Settings<K, V>)) -> Self {
        let mut settings = self.shared.settings.borrow_mut();
        set(&mut settings);
        self.shared.machine.borrow_mut().set(settings.for_machine());
        drop(settings);
        self
    }

    /// Sets the name of the loader in errors and reports. By default, it names the place where the
    /// loader was created.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.set(|settings| settings.name = name.into())
    }

    /// Sets the maximum number of keys in a batch (at least 1). Further keys are sent in further
    /// batches of the same flush.
    #[must_use]
    pub fn max_batch_size(self, keys: usize) -> Self {
        self.set(|settings| settings.max_batch_size = keys.max(1))
    }

    /// Sets the priority of the batches: see [`Batch::priority`](crate::Batch::priority).
    #[must_use]
    pub fn priority(self, priority: i64) -> Self {
        self.set(|settings| settings.priority = priority)
    }

    /// Sets the maximum number of concurrent batches (at least 1; async functions only). A batch that
    /// waits for its turn collects further keys, so the batches of a busy store are larger.
    #[must_use]
    pub fn max_in_flight(self, batches: usize) -> Self {
        self.set(|settings| settings.limit = Some(Limit::new(batches)))
    }

    /// Fails loads that take longer than `after` with a [`TimeoutError`](super::TimeoutError), and
    /// cancels a batch whose loads are all late (async functions only). The time begins when the batch
    /// would be sent if there were no limit, so it covers the wait for other batches.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.set(|settings| settings.timeout = Some(after))
    }

    /// Sets the value for keys that are missing from the answer.
    #[must_use]
    pub fn default_with(self, default: impl Fn(&K) -> V + 'static) -> Self {
        self.set(|settings| settings.default = Some(Rc::new(default)))
    }

    /// Caches values: in the [scope](Self::scope) of the task, or outside of all scopes for the
    /// life of the loader.
    #[must_use]
    pub fn cache(self) -> Self {
        self.cache_in(HashMap::new())
    }

    /// Caches values that are loaded outside of all scopes in `cache`: a map, an [`Lru`](super::Lru),
    /// or any other [`Cache`].
    #[must_use]
    pub fn cache_in(self, cache: impl Cache<K, V> + 'static) -> Self {
        self.shared.cache.set(Some(ScopeCache::new(cache)));
        self.shared.caches.set(true);
        self
    }

    /// Caches the errors of single keys as well as values. With an [`Lru`](super::Lru), in another one
    /// of the same capacity and time to live.
    #[must_use]
    pub fn cache_errors(self) -> Self {
        self.set(|settings| settings.cache_errors = true)
    }

    /// Sends keys although their loads were dropped, together with others: the keys are writes.
    #[cfg(any(feature = "redis", feature = "memcached"))]
    #[must_use]
    pub(crate) fn sends_dropped(self) -> Self {
        self.set(|settings| settings.sends_dropped = true)
    }

    /// Calls `hook` with the keys of each batch before it is sent.
    #[must_use]
    pub fn before_flush(self, hook: impl Fn(&[K]) + 'static) -> Self {
        self.set(|settings| settings.before.push(Rc::new(hook)))
    }

    /// Calls `hook` after each batch has completed.
    #[must_use]
    pub fn after_flush(self, hook: impl Fn(&Flushed<'_, K>) + 'static) -> Self {
        self.set(|settings| settings.after.push(Rc::new(hook)))
    }
}
