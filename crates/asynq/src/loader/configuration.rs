//! The configuration that all loaders have in common.

/// Implements the configuration of a loader whose keys and values have these bounds, and whose functions and caches have
/// these. It needs methods `set` and `set_cache`.
macro_rules! configuration {
    (
        $loader:ident, keys: [$($key_bounds:tt)*], values: [$($value_bounds:tt)*],
        functions: [$($send:ident)*], caches: [$($send_cache:ident)*], limit: $limit:ty, wait: $wait:ty
    ) => {
        /// # Configuration
        impl<K: $($key_bounds)*, V: $($value_bounds)*> $loader<K, V> {
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
                self.set(|settings| settings.limit = Some(<$limit>::new(batches)))
            }

            /// Fails loads that take longer than `after` with a [`TimeoutError`](crate::loader::TimeoutError), and
            /// cancels a batch whose loads are all late (async functions only). The time begins when the batch
            /// would be sent if there were no limit, so it covers the wait for other batches.
            #[must_use]
            pub fn timeout(self, after: Duration) -> Self {
                self.set(|settings| settings.timeout = Some(after))
            }

            /// Waits by the future that `timer` returns for a time, for [`timeout`](Self::timeout) and
            /// [`hold`](Self::hold): a timer of another executor, or one of a test.
            ///
            /// By default, a loader in a tokio runtime waits by its timers, with a feature of this crate that needs tokio,
            /// and so follows a clock that a test has paused. Elsewhere, and in synchronous calls, one background
            /// thread serves all loaders. On a platform without a clock (`wasm32-unknown-unknown`), nothing is ever due without
            /// a `timer`. Tasks of this crate wait for [`max_delay`](Self::max_delay) by the background thread.
            ///
            /// ```
            /// use std::future::ready;
            /// use std::time::Duration;
            #[doc = concat!(" use asynq::{FutureBase, ", stringify!($loader), "};")]
            ///
            /// // Every wait ends at once.
            #[doc = concat!(" let stuck: ", stringify!($loader), "<u32, u32> = ", stringify!($loader), "::new(async |_: Vec<u32>| std::future::pending::<Vec<u32>>().await);")]
            /// let stuck = stuck.timeout(Duration::from_secs(60)).timer(|_| ready(()));
            /// let error = stuck.name("stuck").load(1).value().unwrap_err();
            /// assert_eq!(error.to_string(), "batch stuck: key 1: no answer within 60s");
            /// ```
            #[must_use]
            pub fn timer<F>(self, timer: impl Fn(Duration) -> F + $($send +)* 'static) -> Self
            where
                F: Future<Output = ()> + $($send_cache +)* 'static,
            {
                let timer = move |time| -> $wait { Box::pin(timer(time)) };
                self.set(|settings| settings.timer = Some(Arc::new(timer)))
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
            #[doc = concat!(" use asynq::", stringify!($loader), ";")]
            ///
            #[doc = concat!(" let square = ", stringify!($loader), "::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());")]
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
            #[doc = concat!(" use asynq::", stringify!($loader), ";")]
            ///
            #[doc = concat!(" let square = ", stringify!($loader), "::new(|ns: Vec<u32>| ns.iter().map(|n| n * n).collect::<Vec<_>>());")]
            /// let square = square.hold(Duration::from_millis(2)).max_batch_size(500);
            /// ```
            #[must_use]
            pub fn hold(self, time: Duration) -> Self {
                self.set(|settings| {
                    settings.hold = time;
                    settings.holds_alone = true;
                })
            }

            /// Sets the value for keys that are missing from the answer.
            #[must_use]
            pub fn default_with(self, default: impl Fn(&K) -> V + $($send +)* 'static) -> Self {
                self.set(|settings| settings.default = Some(Arc::new(default)))
            }

            /// Caches values: in the [scope](Self::scope) of the task, or outside of all scopes for the
            /// life of the loader.
            #[must_use]
            pub fn cache(self) -> Self {
                self.cache_in(::std::collections::HashMap::new())
            }

            /// Caches values that are loaded outside of all scopes in `cache`: a map, an [`Lru`](crate::loader::Lru),
            /// or any other [`Cache`].
            #[must_use]
            pub fn cache_in(self, cache: impl Cache<K, V> + $($send_cache +)* 'static) -> Self {
                self.set_cache($crate::loader::scope_cache::ScopeCache::new(Box::new(cache)))
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
            #[doc = concat!(" use asynq::{FutureBase, ", stringify!($loader), "};")]
            ///
            /// // Nobody is asked for twice, but what failed is tried again.
            #[doc = concat!(" let name = ", stringify!($loader), "::new(|_: Vec<u32>| HashMap::from([(1, \"Ann\")]))")]
            ///     .cache()
            ///     .cache_errors_if(|error| matches!(error, LoadError::Missing { .. }));
            /// assert!(name.load(2).value().is_err());
            /// assert!(name.load(2).value().is_err());
            /// assert_eq!(name.stats().batches, 1);
            /// ```
            #[must_use]
            pub fn cache_errors_if(
                self,
                predicate: impl Fn(&LoadError) -> bool + $($send +)* 'static,
            ) -> Self {
                self.set(|settings| settings.caches_error = Some(Arc::new(predicate)))
            }

            /// Calls `hook` with the keys of each batch before it is sent.
            #[must_use]
            pub fn before_flush(self, hook: impl Fn(&[K]) + $($send +)* 'static) -> Self {
                self.set(|settings| settings.before.push(Arc::new(hook)))
            }

            /// Calls `hook` after each batch has completed.
            #[must_use]
            pub fn after_flush(self, hook: impl Fn(&Flushed<'_, K>) + $($send +)* 'static) -> Self {
                self.set(|settings| settings.after.push(Arc::new(hook)))
            }
        }
    };
}
pub(super) use configuration;
