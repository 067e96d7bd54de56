//! Configuration of a loader, by methods that return it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::cache::Cache;
use super::error::LoadError;
use super::group::Group;
use super::handle::Loader;
use super::key::Key;
use super::limits::Limit;
use super::scope_cache::ScopeCache;
use super::settings::Settings;
use super::shared::Shared;
use super::stats::Flushed;

/// # Configuration
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Loader<K, V> {
    fn set(self, set: impl FnOnce(&mut Settings<K, V>)) -> Self {
        self.shared.set(set);
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

    /// Fails loads that take longer than `after` with a [`TimeoutError`](crate::loader::TimeoutError), and
    /// cancels a batch whose loads are all late (async functions only). The time begins when the batch
    /// would be sent if there were no limit, so it covers the wait for other batches.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.set(|settings| settings.timeout = Some(after))
    }

    /// Sends a batch at the latest when its first key has waited for `delay`, or when it has
    /// [`max_batch_size`](Self::max_batch_size) keys, although tasks can run. By default, a batch is sent
    /// when no task can run, and not before; under another executor (tokio, for example) also when tasks
    /// have been running for 1 s, or for 5 ms in very many turns.
    ///
    /// This is for programs in which some task can always run: a consumer of a queue that is never empty,
    /// for example. In a synchronous call, its loads would wait as long as that goes on. The tasks of
    /// another executor, which are not tasks of this crate, hold a batch back for one turn only. Timers fire
    /// between two steps of the scheduler, so code that does not return to it holds up everything.
    ///
    /// ```
    /// use std::time::Duration;
    /// use asynq::Loader;
    ///
    /// let square = Loader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
    /// let square = square.max_delay(Duration::from_millis(5));
    /// ```
    #[must_use]
    pub fn max_delay(self, delay: Duration) -> Self {
        self.set(|settings| settings.max_delay = Some(delay))
    }

    /// Keeps a batch open for `time` after its first key, although it could be sent, unless it fills up
    /// before ([`max_batch_size`](Self::max_batch_size)).
    ///
    /// This is for servers, where requests come at different times and can share batches: each waits a
    /// little longer, and the store gets fewer batches. [`max_in_flight`](Self::max_in_flight) does the same
    /// only while the store is busy, and so makes nobody wait that need not. The
    /// [`timeout`](Self::timeout) includes this time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use asynq::Loader;
    ///
    /// let square = Loader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
    /// let square = square.hold(Duration::from_millis(2)).max_batch_size(500);
    /// ```
    #[must_use]
    pub fn hold(self, time: Duration) -> Self {
        self.set(|settings| {
            settings.hold = time;
            settings.holds_alone = true;
        })
    }

    /// Sets the number of turns of the executor without a new key after which a batch is sent (default: 2). In each
    /// turn, everything else that can run has run, so other requests may have joined. With 0, a batch is sent as
    /// soon as the code of one request can go on no more.
    ///
    /// The scheduler of tasks knows when nothing can run, and sends at once.
    #[must_use]
    pub fn settle(self, turns: u32) -> Self {
        self.set(|settings| settings.settle = turns)
    }

    /// Sets the number of batches in flight from which on a batch that could be sent waits, and collects keys of other
    /// requests (default: 2; `None`: it never waits). It is sent when fewer are in flight, or when its first key has
    /// waited as long as a batch typically takes. So this is no limit: for one, see
    /// [`max_in_flight`](Self::max_in_flight).
    ///
    /// Tasks of a scheduler send at once, so that the same program sends the same batches.
    #[must_use]
    pub fn busy_at(self, batches: impl Into<Option<usize>>) -> Self {
        let batches = batches.into();
        self.set(|settings| settings.busy = batches)
    }

    /// Keeps a batch open like [`hold`](Self::hold), but only while requests overlap: others were in flight, or the
    /// last batch that was held has gained keys. Requests that come alone do not wait.
    ///
    /// This sends the fewest batches; a request waits longer while others overlap with it.
    #[must_use]
    pub fn hold_when_busy(self, time: Duration) -> Self {
        self.set(|settings| {
            settings.hold = time;
            settings.holds_alone = false;
        })
    }

    /// Makes the loader a member of a [`Group`], and of no other.
    #[must_use]
    pub fn group(self, group: &Group) -> Self {
        let member: Weak<Shared<K, V>> = Arc::downgrade(&self.shared);
        group.join(member);
        self.shared.enable_scopes();
        self.set(|settings| settings.group = Some(group.clone()))
    }

    /// Sets the value for keys that are missing from the answer.
    #[must_use]
    pub fn default_with(self, default: impl Fn(&K) -> V + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.default = Some(Arc::new(default)))
    }

    /// Caches values: in the [scope](Self::scope) of the task, or outside of all scopes for the
    /// life of the loader.
    #[must_use]
    pub fn cache(self) -> Self {
        self.cache_in(HashMap::new())
    }

    /// Caches values that are loaded outside of all scopes in `cache`: a map, an [`Lru`](crate::loader::Lru),
    /// or any other [`Cache`].
    #[must_use]
    pub fn cache_in(self, cache: impl Cache<K, V> + Send + 'static) -> Self {
        self.shared.set_cache(ScopeCache::new(cache));
        self
    }

    /// Caches values for the time of each [`request`](crate::request()), which has a cache of its own.
    ///
    /// ```
    /// use asynq::{Loader, request};
    ///
    /// let square = Loader::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());
    /// let square = square.cache_per_request();
    /// let twice = request(async { (square.load(3).await.unwrap(), square.load(3).await.unwrap()) });
    /// assert_eq!(futures::executor::block_on(twice), (9, 9));
    /// assert_eq!(square.stats().batches, 1);
    /// ```
    #[must_use]
    pub fn cache_per_request(self) -> Self {
        self.shared.cache_requests();
        self
    }

    /// Caches the errors of single keys as well as values. With an [`Lru`](crate::loader::Lru), in another one
    /// of the same capacity and time to live.
    #[must_use]
    pub fn cache_errors(self) -> Self {
        self.cache_errors_if(|_| true)
    }

    /// Caches those errors of single keys for which `predicate` returns `true`: see
    /// [`cache_errors`](Self::cache_errors).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use asynq::loader::LoadError;
    /// use asynq::{FutureBase, Loader};
    ///
    /// // Nobody is asked for twice, but what failed is tried again.
    /// let name = Loader::new(|_: Vec<u32>| HashMap::from([(1, "Ann")]))
    ///     .cache()
    ///     .cache_errors_if(|error| matches!(error, LoadError::Missing { .. }));
    /// assert!(name.load(2).value().is_err());
    /// assert!(name.load(2).value().is_err());
    /// assert_eq!(name.stats().batches, 1);
    /// ```
    #[must_use]
    pub fn cache_errors_if(
        self,
        predicate: impl Fn(&LoadError) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.caches_error = Some(Arc::new(predicate)))
    }

    /// Calls `hook` with the keys of each batch before it is sent.
    #[must_use]
    pub fn before_flush(self, hook: impl Fn(&[K]) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.before.push(Arc::new(hook)))
    }

    /// Calls `hook` after each batch has completed.
    #[must_use]
    pub fn after_flush(self, hook: impl Fn(&Flushed<'_, K>) + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.after.push(Arc::new(hook)))
    }
}
