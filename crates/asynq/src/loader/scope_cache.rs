//! The cached values of one scope of a loader.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::{Cache, Lru};
use super::error::LoadError;
use super::thread_lock::ThreadLock;

/// Cached values and errors of one scope. `C` is a [`Cache`] of any type, with or without `Send`.
///
/// Caches run code of users, which may call the loader. A call inside finds nothing, and its changes are made
/// afterwards.
pub(super) struct ScopeCache<K, V, C: ?Sized> {
    caches: ThreadLock<Caches<K, C>>,
    /// Changes that are not made yet.
    changes: Mutex<VecDeque<Change<K, V>>>,
}

struct Caches<K, C: ?Sized> {
    errors: Lru<K, LoadError>,
    values: Box<C>,
}

pub(super) enum Change<K, V> {
    Insert(K, Result<V, LoadError>),
    Remove(K),
    Clear,
}

impl<K: Eq + Hash, V, C: Cache<K, V> + ?Sized> ScopeCache<K, V, C> {
    pub(super) fn new(values: Box<C>) -> Arc<Self> {
        let caches = Caches { errors: values.limits().cache(), values };
        Arc::new(Self { caches: ThreadLock::new(caches), changes: Mutex::default() })
    }

    pub(super) fn get(&self, key: &K) -> Option<Result<V, LoadError>> {
        let mut caches = self.caches.lock()?;
        let found = match caches.values.get(key) {
            Some(value) => Some(Ok(value)),
            None => caches.errors.get(key).map(Err),
        };
        self.make_changes(&mut caches);
        found
    }

    pub(super) fn change(&self, change: Change<K, V>) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
        if let Some(mut caches) = self.caches.lock() {
            self.make_changes(&mut caches);
        }
    }

    fn make_changes(&self, caches: &mut Caches<K, C>) {
        while let Some(change) = self.next_change() {
            match change {
                Change::Insert(key, Ok(value)) => {
                    caches.errors.remove(&key);
                    caches.values.insert(key, value);
                }
                Change::Insert(key, Err(error)) => caches.errors.insert(key, error),
                Change::Remove(key) => {
                    caches.values.remove(&key);
                    caches.errors.remove(&key);
                }
                Change::Clear => {
                    caches.values.clear();
                    caches.errors.clear();
                }
            }
        }
    }

    fn next_change(&self) -> Option<Change<K, V>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
