//! The caches of a loader: of its scopes, of requests, and of the loader itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::key::Key;
use super::scope;
use super::scope_cache::ScopeCache;
use super::thread_lock::ThreadLock;
use super::threads::{AllThreads, Threads};
use crate::request::current;
use crate::scheduler::{self, Scheduler};

/// Cache of one scope, which a loader shares with the entries of its keys.
pub(super) type SharedCache<K, V> = Arc<ScopeCache<K, V, <AllThreads as Threads>::Cache<K, V>>>;

pub(super) struct Caches<K, V> {
    /// Cache outside of all scopes and requests.
    own: ThreadLock<Option<SharedCache<K, V>>>,
    /// True once there was a cache, or a scope.
    are_used: AtomicBool,
    of_requests: AtomicBool,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Caches<K, V> {
    pub(super) fn new() -> Self {
        Self {
            own: ThreadLock::new(None),
            are_used: AtomicBool::new(false),
            of_requests: AtomicBool::new(false),
        }
    }

    /// Sets the cache outside of all scopes and requests.
    pub(super) fn set(&self, cache: SharedCache<K, V>) {
        let before = self.own.lock().and_then(|mut own| own.replace(cache));
        drop(before);
        self.enable();
    }

    /// Lets loads look for caches: there may be scopes.
    pub(super) fn enable(&self) {
        self.are_used.store(true, Ordering::Release);
    }

    /// Gives each request a cache.
    pub(super) fn enable_for_requests(&self) {
        self.of_requests.store(true, Ordering::Release);
        self.enable();
    }

    /// Returns whether there may be caches.
    #[inline]
    pub(super) fn are_used(&self) -> bool {
        self.are_used.load(Ordering::Acquire)
    }

    /// Returns the cache of the innermost scope, of the request, or of the loader, which has this id and is in this
    /// group.
    pub(super) fn find(&self, loader: u64, group: Option<u64>) -> Option<SharedCache<K, V>> {
        // Another branch of the task may have been left inside a context of its own.
        scheduler::try_with(Scheduler::switch_to_branch);
        let new = || ScopeCache::new(Box::new(HashMap::new()) as Box<_>);
        if let Some(caches) = scope::caches(loader, group) {
            return Some(caches.get(loader, new));
        }
        if self.of_requests.load(Ordering::Acquire)
            && let Some(shelf) = current::shelf()
        {
            return Some(shelf.get(loader, new));
        }
        self.own.lock()?.clone()
    }
}
