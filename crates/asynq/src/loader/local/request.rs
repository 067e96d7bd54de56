//! Requests: what a loader keeps of each slot.

use std::mem;
use std::sync::Arc;

use crate::batch::{Batch, WeakItem};
use crate::loader::error::LoadError;
use crate::loader::scope_cache::ScopeCache;
use crate::loader::threads::{OneThread, Threads};

/// Cache of one scope, which a loader shares with its requests.
pub(super) type LocalCache<K, V> = Arc<ScopeCache<K, V, <OneThread as Threads>::Cache<K, V>>>;

/// A key that was requested and has no value yet.
pub(super) struct Request<K, B: Batch> {
    /// The item that all of its loads await.
    pub(super) item: WeakItem<B>,
    key: KeyPlace<K>,
}

/// The place of the key of a request.
enum KeyPlace<K> {
    /// In the request, until the key is sent.
    Request(K),
    /// In the part, at this index.
    Part(u32),
}

impl<K, B: Batch> Request<K, B> {
    pub(super) fn new(key: K, item: WeakItem<B>) -> Self {
        Self { item, key: KeyPlace::Request(key) }
    }

    /// Takes the key, which will be at `index` of its part. Returns `None` if it was taken before.
    #[inline]
    pub(super) fn take_key(&mut self, index: u32) -> Option<K> {
        match mem::replace(&mut self.key, KeyPlace::Part(index)) {
            KeyPlace::Request(key) => Some(key),
            KeyPlace::Part(_) => None,
        }
    }

    /// Returns the key. `keys` are those of its part, if it was sent.
    pub(super) fn key<'a>(&'a self, keys: &'a [K]) -> Option<&'a K> {
        match &self.key {
            KeyPlace::Request(key) => Some(key),
            KeyPlace::Part(index) => keys.get(*index as usize),
        }
    }
}

/// Caches for the value of a key: one of each scope that has loaded it.
pub(super) enum Caches<K, V> {
    None,
    One(LocalCache<K, V>),
    Several(Vec<LocalCache<K, V>>),
}

impl<K, V> Caches<K, V> {
    #[inline]
    pub(super) fn as_slice(&self) -> &[LocalCache<K, V>] {
        match self {
            Self::None => &[],
            Self::One(cache) => std::slice::from_ref(cache),
            Self::Several(caches) => caches,
        }
    }

    pub(super) fn add(&mut self, cache: LocalCache<K, V>) {
        if self.as_slice().iter().any(|other| Arc::ptr_eq(other, &cache)) {
            return;
        }
        *self = match mem::replace(self, Self::None) {
            Self::None => Self::One(cache),
            Self::One(first) => Self::Several(vec![first, cache]),
            Self::Several(mut caches) => {
                caches.push(cache);
                Self::Several(caches)
            }
        };
    }
}

/// A load of a cached key, which waits for the keys of its step.
pub(super) struct CachedLoad<B: Batch> {
    pub(super) item: WeakItem<B>,
    pub(super) outcome: Result<B::Value, LoadError>,
    /// Number of the flush that waits for it.
    pub(super) flush: Option<u64>,
}
