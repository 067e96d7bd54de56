//! A requested key, from its first load until the last load has taken the value.

use std::num::NonZero;
use std::sync::Arc;
use std::task::Waker;
use std::{iter, mem};

use asynq_engine::ItemId;
use asynq_loader::{PartId, SlotId};
use slotmap::new_key_type;

use super::caches::SharedCache;
use super::error::LoadError;
use crate::error::TaskError;

new_key_type! {
    /// The id of one that has ended finds nothing.
    pub(super) struct EntryId;
}

// Kept small: a large round waits for memory. What hardly any entry has is in `more`.
pub(super) struct Entry<K, V> {
    pub(super) slot: SlotId,
    pub(super) key: KeyPlace<K>,
    pub(super) outcome: Outcome<V>,
    /// Waker of the first load that was polled outside of the scheduler.
    waker: Option<Waker>,
    /// Item in the first scheduler in which a load was awaited.
    item: Option<ItemPlace>,
    /// Number of loads that have not taken the value.
    pub(super) handles: u32,
    /// Cache for the value, of the first scope that has loaded the key.
    cache: Option<SharedCache<K, V>>,
    more: Option<Box<More<K, V>>>,
}

/// Further wakers, items and caches of a key.
struct More<K, V> {
    wakers: Vec<Waker>,
    items: Vec<ItemPlace>,
    caches: Vec<SharedCache<K, V>>,
}

/// The item of a key in the scheduler of one thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ItemPlace {
    pub(super) host: HostId,
    pub(super) item: ItemId,
}

/// Number of a loader in the scheduler of one thread.
pub(super) type HostId = NonZero<u32>;

/// Status of a pending key.
#[derive(Clone, Copy)]
pub(super) enum Status {
    Unsent,
    Cached(SlotId),
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

impl<V> Outcome<V> {
    pub(super) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending | Self::Cached(_))
    }
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
        Self { wakers: Vec::new(), items: Vec::new(), caches: Vec::new() }
    }
}

impl<K, V> Entry<K, V> {
    pub(super) fn new(slot: SlotId, key: KeyPlace<K>, outcome: Outcome<V>) -> Self {
        Self { slot, key, outcome, waker: None, item: None, handles: 1, cache: None, more: None }
    }

    fn more(&mut self) -> &mut More<K, V> {
        self.more.get_or_insert_default()
    }

    /// Returns the status of the key, if it is pending.
    #[inline(always)]
    pub(super) fn status(&self) -> Option<Status> {
        match (&self.outcome, &self.key) {
            (Outcome::Pending, KeyPlace::Here(_)) => Some(Status::Unsent),
            (Outcome::Pending, _) => Some(Status::Sent),
            (Outcome::Cached(_), _) => Some(Status::Cached(self.slot)),
            (Outcome::Value(_) | Outcome::Failed(_) | Outcome::Panicked(_), _) => None,
        }
    }

    /// Returns the index of the key in its part, if it was sent.
    pub(super) fn index_in_part(&self) -> Option<usize> {
        match self.key {
            KeyPlace::Part(_, index) => Some(index as usize),
            KeyPlace::Here(_) | KeyPlace::Cached => None,
        }
    }
}

/// # Wakers
impl<K, V> Entry<K, V> {
    /// Registers the waker of a load, which had this place before. Returns its place.
    #[inline(always)]
    pub(super) fn register(&mut self, place: Option<usize>, waker: &Waker) -> usize {
        match &mut self.waker {
            None => {
                self.waker = Some(waker.clone());
                0
            }
            Some(first) if first.will_wake(waker) => 0,
            Some(first) if place == Some(0) => {
                first.clone_from(waker);
                0
            }
            Some(_) => self.register_further(place, waker),
        }
    }

    fn register_further(&mut self, place: Option<usize>, waker: &Waker) -> usize {
        let wakers = &mut self.more().wakers;
        match place {
            Some(place) if place <= wakers.len() => {
                wakers[place - 1].clone_from(waker);
                place
            }
            _ => {
                wakers.push(waker.clone());
                wakers.len()
            }
        }
    }

    /// Moves the wakers to the end of a list, in which equal neighbours are one.
    #[inline(always)]
    pub(super) fn take_wakers(&mut self, wakers: &mut Vec<Waker>) {
        if let Some(first) = self.waker.take() {
            let further = self.more.as_mut().map(|more| mem::take(&mut more.wakers));
            for waker in iter::once(first).chain(further.into_iter().flatten()) {
                if !is_last(wakers, &waker) {
                    wakers.push(waker);
                }
            }
        }
    }

    /// Adds clones of the wakers to a list.
    pub(super) fn copy_wakers(&self, wakers: &mut Vec<Waker>) {
        let further = self.more.iter().flat_map(|more| &more.wakers);
        for waker in self.waker.iter().chain(further) {
            if !is_last(wakers, waker) {
                wakers.push(waker.clone());
            }
        }
    }
}

fn is_last(wakers: &[Waker], waker: &Waker) -> bool {
    wakers.last().is_some_and(|last| last.will_wake(waker))
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
