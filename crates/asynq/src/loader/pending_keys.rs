//! The pending keys of a batch, so that equal keys share an item.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::cache::SharedCache;
use crate::batch::{Batch, BatchItem, WeakBatch};

/// Keys that one batch of items requests, until their values arrive.
pub(super) struct PendingKeys<K, B: Batch> {
    batch: RefCell<Option<WeakBatch<B>>>,
    /// Index of the item of each key, without the keys that were cleared.
    items: RefCell<HashMap<K, u32, RandomState>>,
    /// Caches for the value of a key, besides the one of the first load.
    caches: RefCell<Caches<K, B::Value>>,
}

type Caches<K, V> = HashMap<K, Vec<SharedCache<K, V>>, RandomState>;

impl<K: Clone + Eq + Hash, B: Batch<Value: Clone>> PendingKeys<K, B> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            batch: RefCell::new(None),
            items: RefCell::default(),
            caches: RefCell::default(),
        })
    }

    /// Returns another handle to the item of `key`, if it is pending.
    pub(super) fn item(&self, key: &K) -> Option<BatchItem<B>> {
        let index = *self.items.borrow().get(key)?;
        self.batch.borrow().as_ref()?.pending_item(index)
    }

    /// Returns whether `load` belongs to the batch of these keys.
    pub(super) fn has(&self, load: &BatchItem<B>) -> bool {
        self.batch.borrow().as_ref().is_none_or(|batch| batch.has(load))
    }

    /// Adds `load` as the item of `key`.
    pub(super) fn insert(&self, key: K, load: &BatchItem<B>) {
        self.batch.borrow_mut().get_or_insert_with(|| load.weak_batch());
        let index = u32::try_from(load.index()).expect("the engine counts items in a u32");
        self.items.borrow_mut().insert(key, index);
    }

    /// Adds `cache` to the caches for the value of `key`.
    pub(super) fn add_cache(&self, key: &K, cache: &SharedCache<K, B::Value>) {
        let mut caches = self.caches.borrow_mut();
        let caches = caches.entry(key.clone()).or_default();
        if !caches.iter().any(|other| Rc::ptr_eq(other, cache)) {
            caches.push(Rc::clone(cache));
        }
    }

    pub(super) fn has_caches(&self) -> bool {
        !self.caches.borrow().is_empty()
    }

    /// Returns the further caches for the value of `key`, or `None` if the key was cleared and its
    /// value must not be cached.
    pub(super) fn caches(&self, key: &K) -> Option<Vec<SharedCache<K, B::Value>>> {
        if !self.items.borrow().contains_key(key) {
            return None;
        }
        Some(self.caches.borrow().get(key).cloned().unwrap_or_default())
    }

    /// Clears a key: its pending value is neither shared with later loads nor cached.
    pub(super) fn clear(&self, key: &K) {
        self.items.borrow_mut().remove(key);
    }

    pub(super) fn clear_all(&self) {
        self.items.borrow_mut().clear();
    }
}
