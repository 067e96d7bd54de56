//! A requested key, from its first load until the last load has taken the value.

use std::mem;
use std::sync::Arc;

use asynq_engine::ItemId;
use asynq_loader::{PartId, SlotId};

use super::caches::SharedCache;
use super::error::LoadError;
use super::id::HostId;
use super::wakers::WaitList;
use crate::error::TaskError;

// Kept small: a large round waits for memory. What hardly any entry has is in `more`.
pub(super) struct Entry<K, V> {
    pub(super) slot: SlotId,
    pub(super) key: KeyPlace<K>,
    /// None once it is resolved.
    pub(super) pending: Option<Status>,
    pub(super) outcome: Outcome<V>,
    /// Waits of the loads that were polled outside of the scheduler.
    pub(super) waits: WaitList,
    /// Item in the first scheduler in which a load was awaited.
    item: Option<ItemPlace>,
    /// Number of loads that have not taken the value.
    pub(super) handles: u32,
    /// Cache for the value, of the first scope that has loaded the key.
    cache: Option<SharedCache<K, V>>,
    more: Option<Box<More<K, V>>>,
}

/// Further items and caches of a key.
struct More<K, V> {
    items: Vec<ItemPlace>,
    caches: Vec<SharedCache<K, V>>,
}

/// The item of a key in the scheduler of one thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ItemPlace {
    pub(super) host: HostId,
    pub(super) item: ItemId,
}

/// Status of a pending key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Unsent,
    /// Its cached value waits for the keys of its step.
    Cached,
    Sent,
}

/// The place of a key.
pub(super) enum KeyPlace<K> {
    /// Here, until the key is sent.
    Here(K),
    /// In the part, at this index.
    Part(PartId, u32),
    /// Nowhere: its value was cached.
    Cached,
}

/// The value or error of a key.
pub(super) enum Outcome<V> {
    Pending,
    /// The cached value, which waits for the keys of its step.
    Cached(Result<V, Arc<LoadError>>),
    Value(V),
    Failed(Arc<LoadError>),
    /// The function panicked, and so does every load of the key.
    Panicked(TaskError),
}

impl<V: Clone> Clone for Outcome<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Pending => Self::Pending,
            Self::Cached(outcome) => Self::Cached(outcome.clone()),
            Self::Value(value) => Self::Value(value.clone()),
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::Panicked(panic) => Self::Panicked(panic.clone()),
        }
    }
}

impl<V> From<Result<V, Arc<LoadError>>> for Outcome<V> {
    fn from(outcome: Result<V, Arc<LoadError>>) -> Self {
        outcome.map_or_else(Self::Failed, Self::Value)
    }
}

impl<K, V> Default for More<K, V> {
    fn default() -> Self {
        Self { items: Vec::new(), caches: Vec::new() }
    }
}

impl<K, V> Entry<K, V> {
    pub(super) fn new(slot: SlotId, key: KeyPlace<K>, outcome: Outcome<V>) -> Self {
        let status = if matches!(key, KeyPlace::Cached) { Status::Cached } else { Status::Unsent };
        Self {
            slot,
            key,
            pending: Some(status),
            outcome,
            waits: WaitList::default(),
            item: None,
            handles: 1,
            cache: None,
            more: None,
        }
    }

    fn more(&mut self) -> &mut More<K, V> {
        self.more.get_or_insert_default()
    }

    /// Returns the index of the key in its part, if it was sent.
    pub(super) fn index_in_part(&self) -> Option<usize> {
        match self.key {
            KeyPlace::Part(_, index) => Some(index as usize),
            KeyPlace::Here(_) | KeyPlace::Cached => None,
        }
    }
}

/// # Items
impl<K, V> Entry<K, V> {
    /// Returns the item in a scheduler.
    #[inline]
    pub(super) fn item(&self, host: HostId) -> Option<ItemId> {
        let of_host = |item: &&ItemPlace| item.host == host;
        let first = self.item.as_ref().filter(of_host);
        let place = first.or_else(|| self.more.as_ref()?.items.iter().find(of_host));
        place.map(|place| place.item)
    }

    /// Notes the item in a scheduler, which had none.
    #[inline]
    pub(super) fn add_item(&mut self, item: ItemPlace) {
        match &mut self.item {
            first @ None => *first = Some(item),
            Some(_) => self.more().items.push(item),
        }
    }

    /// Forgets the item in a scheduler.
    pub(super) fn remove_item(&mut self, host: HostId) {
        self.item.take_if(|item| item.host == host);
        if let Some(more) = &mut self.more {
            more.items.retain(|item| item.host != host);
        }
    }
}

/// # Caches
impl<K, V> Entry<K, V> {
    pub(super) fn add_cache(&mut self, cache: &SharedCache<K, V>) {
        let Some(first) = &self.cache else {
            self.cache = Some(Arc::clone(cache));
            return;
        };
        let is_cache = |other: &SharedCache<K, V>| Arc::ptr_eq(other, cache);
        if !is_cache(first) && !self.more.iter().flat_map(|more| &more.caches).any(is_cache) {
            self.more().caches.push(Arc::clone(cache));
        }
    }

    /// Takes the caches for the value: one of each scope that has loaded the key.
    pub(super) fn take_caches(&mut self) -> Vec<SharedCache<K, V>> {
        let further = self.more.as_mut().map(|more| mem::take(&mut more.caches));
        self.cache.take().into_iter().chain(further.into_iter().flatten()).collect()
    }
}
