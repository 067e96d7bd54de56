//! Requests: what a loader keeps of each slot.

use std::rc::Rc;

use super::cache::SharedCache;
use super::error::LoadError;
use crate::batch::{Batch, WeakItem};

/// A key that was requested and has no value yet.
pub(super) struct Request<K, B: Batch> {
    /// Until the key is sent. Then its part has it.
    pub(super) key: Option<K>,
    /// The item that all of its loads await.
    pub(super) item: WeakItem<B>,
    /// Index of the key in its part.
    pub(super) index: u32,
}

/// Caches for the value of a key: one of each scope that has loaded it.
pub(super) enum Caches<K, V> {
    None,
    One(SharedCache<K, V>),
    Several(Vec<SharedCache<K, V>>),
}

impl<K, V> Caches<K, V> {
    #[inline]
    pub(super) fn as_slice(&self) -> &[SharedCache<K, V>] {
        match self {
            Self::None => &[],
            Self::One(cache) => std::slice::from_ref(cache),
            Self::Several(caches) => caches,
        }
    }

    pub(super) fn add(&mut self, cache: SharedCache<K, V>) {
        if self.as_slice().iter().any(|other| Rc::ptr_eq(other, &cache)) {
            return;
        }
        *self = match std::mem::replace(self, Self::None) {
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
