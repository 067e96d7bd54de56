//! The cached values of one scope of a loader.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::{Cache, Lru};
use super::error::LoadError;
use super::thread_lock::ThreadLock;

/// Cache of one scope, which a loader shares with its requests.
pub(super) type SharedCache<K, V> = Arc<ScopeCache<K, V>>;

/// Cached values and errors of one scope.
///
/// Caches run code of users, which may call the loader. A call inside finds nothing, and its changes are made
/// afterwards.
pub(super) struct ScopeCache<K, V> {
    caches: ThreadLock<Caches<K, V>>,
    /// Changes that are not made yet.
    changes: Mutex<VecDeque<Change<K, V>>>,
}

struct Caches<K, V> {
    values: Box<dyn Cache<K, V> + Send>,
    errors: Lru<K, LoadError>,
}

pub(super) enum Change<K, V> {
    Insert(K, Result<V, LoadError>),
    Remove(K),
    Clear,
}

impl<K: Eq + Hash, V> ScopeCache<K, V> {
    pub(super) fn new(values: impl Cache<K, V> + Send + 'static) -> SharedCache<K, V> {
        let errors = values.limits().cache();
        let caches = Caches { errors, values: Box::new(values) };
        Arc::new(Self { caches: ThreadLock::new(caches), changes: Mutex::default() })
    }

    pub(super) fn get(&self, key: &K) -> Option<Result<V, LoadError>> {
        let mut caches = self.caches.lock()?;
        match caches.values.get(key) {
            Some(value) => Some(Ok(value)),
            None => caches.errors.get(key).map(Err),
        }
    }

    pub(super) fn change(&self, change: Change<K, V>) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
        let Some(mut caches) = self.caches.lock() else { return };
        while let Some(change) = self.next_change() {
            caches.change(change);
        }
    }

    fn next_change(&self) -> Option<Change<K, V>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl<K: Eq + Hash, V> Caches<K, V> {
    fn change(&mut self, change: Change<K, V>) {
        match change {
            Change::Insert(key, Ok(value)) => {
                self.errors.remove(&key);
                self.values.insert(key, value);
            }
            Change::Insert(key, Err(error)) => self.errors.insert(key, error),
            Change::Remove(key) => {
                self.values.remove(&key);
                self.errors.remove(&key);
            }
            Change::Clear => {
                self.values.clear();
                self.errors.clear();
            }
        }
    }
}
