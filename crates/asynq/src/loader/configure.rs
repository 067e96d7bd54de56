//! Configuration of a loader, by methods that return it.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::cache::Cache;
use super::caches::SharedCache;
use super::configuration::configuration;
use super::error::LoadError;
use super::group::Group;
use super::handle::Loader;
use super::key::Key;
use super::limits::Limit;
use super::settings::Settings;
use super::shared::Shared;
use super::stats::Flushed;
use super::threads::AllThreads;
use crate::clock::Wait;

configuration!(
    Loader, keys: [Key + Send + Sync], values: [Clone + Send + 'static],
    functions: [Send Sync], caches: [Send], limit: Limit, wait: Wait
);

/// # Configuration for servers
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Loader<K, V> {
    pub(super) fn set(self, set: impl FnOnce(&mut Settings<K, V, AllThreads>)) -> Self {
        self.shared.set(set);
        self
    }

    fn set_cache(self, cache: SharedCache<K, V>) -> Self {
        self.shared.caches.set(cache);
        self
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

    /// Sets the time for which a batch waits for other requests (default: 2 ms; zero: it does not wait), as long as it
    /// expects some. It expects as many requests as the last batches had, and sometimes as many as it could have
    /// together with those in flight; for the latter it waits up to three times as long. It is sent as soon as they
    /// are there, so requests that load together stay together, and a request that comes alone does not wait.
    ///
    /// Tasks of a scheduler send at once, so that the same program sends the same batches. For a wait that is the same
    /// for all batches, see [`hold`](Self::hold).
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
        self.shared.caches.enable();
        self.set(|settings| settings.group = Some(group.clone()))
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
        self.shared.caches.enable_for_requests();
        self
    }
}

#[cfg(feature = "explain")]
impl<K, V> Loader<K, V>
where
    K: Key + Send + Sync,
    V: Clone + Send + serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    /// Lets tests run from recorded answers, by the [name](Self::name) of the loader:
    /// [`explain::record_answers`](crate::explain::record_answers).
    #[must_use]
    pub fn replayable(self) -> Self {
        self.shared.codec.get_or_init(crate::recording::answers::Codec::new);
        self
    }
}
