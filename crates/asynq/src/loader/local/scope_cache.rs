//! The cached values of one scope of a local loader.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::Hash;
use std::rc::Rc;
use std::thread;

use crate::loader::cache::Cache;
use crate::loader::error::LoadError;

/// Cache of one scope, which a loader shares with its requests.
pub(super) type SharedCache<K, V> = Rc<ScopeCache<K, V>>;

/// Cached values and errors of one scope.
///
/// Caches run code of users, which may call the loader. So they are taken out while they are used: a
/// call inside finds nothing, and its changes are made afterwards.
pub(super) struct ScopeCache<K, V> {
    caches: Cell<Option<Caches<K, V>>>,
    changes: RefCell<VecDeque<Change<K, V>>>,
}

struct Caches<K, V> {
    values: Box<dyn Cache<K, V>>,
    errors: Box<dyn Cache<K, LoadError>>,
}

pub(super) enum Change<K, V> {
    Insert(K, Result<V, LoadError>),
    Remove(K),
    Clear,
}

/// The caches, taken out of their scope until this is dropped.
struct Taken<'c, K, V> {
    scope: &'c ScopeCache<K, V>,
    caches: Option<Caches<K, V>>,
}

impl<K: Eq + Hash + 'static, V: Clone + 'static> ScopeCache<K, V> {
    pub(super) fn new(values: impl Cache<K, V> + 'static) -> SharedCache<K, V> {
        let errors = Box::new(values.limits().cache());
        let caches = Caches { errors, values: Box::new(values) };
        Rc::new(Self { caches: Cell::new(Some(caches)), changes: RefCell::default() })
    }

    pub(super) fn get(&self, key: &K) -> Option<Result<V, LoadError>> {
        let mut taken = self.take()?;
        let caches = taken.caches.as_mut()?;
        match caches.values.get(key) {
            Some(value) => Some(Ok(value)),
            None => caches.errors.get(key).map(Err),
        }
    }

    pub(super) fn change(&self, change: Change<K, V>) {
        self.changes.borrow_mut().push_back(change);
        drop(self.take());
    }

    fn take(&self) -> Option<Taken<'_, K, V>> {
        let caches = self.caches.take()?;
        Some(Taken { scope: self, caches: Some(caches) })
    }
}

impl<K, V> ScopeCache<K, V> {
    fn next_change(&self) -> Option<Change<K, V>> {
        self.changes.borrow_mut().pop_front()
    }
}

impl<K, V> Caches<K, V> {
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

impl<K, V> Drop for Taken<'_, K, V> {
    fn drop(&mut self) {
        if let Some(caches) = &mut self.caches
            && !thread::panicking()
        {
            while let Some(change) = self.scope.next_change() {
                caches.change(change);
            }
        }
        self.scope.caches.set(self.caches.take());
    }
}
