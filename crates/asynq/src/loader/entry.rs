//! A requested key, from its first load until the last load has taken the value.

use std::sync::Arc;
use std::task::Waker;

use asynq_loader::{PartId, SlotId};
use slotmap::new_key_type;

use super::error::LoadError;
use super::scope_cache::SharedCache;
use crate::error::TaskError;

new_key_type! {
    /// The id of one that has ended finds nothing.
    pub(super) struct EntryId;
}

pub(super) struct Entry<K, V> {
    pub(super) slot: SlotId,
    pub(super) key: KeyPlace<K>,
    /// Number of loads that have not taken the value.
    pub(super) handles: u32,
    pub(super) outcome: Outcome<V>,
    pub(super) waiters: Waiters,
    /// Caches for the value: one of each scope that has loaded the key.
    pub(super) caches: Vec<SharedCache<K, V>>,
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
    Cached(Result<V, LoadError>),
    Value(V),
    Failed(LoadError),
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
            Self::Failed(error) => Self::Failed(error.clone()),
            Self::Panicked(panic) => Self::Panicked(panic.clone()),
        }
    }
}

impl<V> From<Result<V, LoadError>> for Outcome<V> {
    fn from(outcome: Result<V, LoadError>) -> Self {
        outcome.map_or_else(Self::Failed, Self::Value)
    }
}

impl<K, V> Entry<K, V> {
    pub(super) fn new(slot: SlotId, key: KeyPlace<K>, outcome: Outcome<V>) -> Self {
        Self { slot, key, handles: 1, outcome, waiters: Waiters::default(), caches: Vec::new() }
    }

    /// Returns the index of the key in its part, if it was sent.
    pub(super) fn index_in_part(&self) -> Option<usize> {
        match self.key {
            KeyPlace::Part(_, index) => Some(index as usize),
            KeyPlace::Here(_) | KeyPlace::Cached => None,
        }
    }

    pub(super) fn add_cache(&mut self, cache: &SharedCache<K, V>) {
        if !self.caches.iter().any(|other| Arc::ptr_eq(other, cache)) {
            self.caches.push(Arc::clone(cache));
        }
    }
}

/// Wakers of the loads of a key. Nearly always, there is one.
#[derive(Default)]
pub(super) struct Waiters {
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Waiters {
    /// Registers the waker of a load, which had this place before. Returns its place.
    #[inline]
    pub(super) fn register(&mut self, place: Option<usize>, waker: &Waker) -> usize {
        let Some(first) = &mut self.first else {
            self.first = Some(waker.clone());
            return 0;
        };
        if first.will_wake(waker) {
            return 0;
        }
        match place {
            Some(0) => {
                first.clone_from(waker);
                0
            }
            Some(place) if place <= self.others.len() => {
                self.others[place - 1].clone_from(waker);
                place
            }
            _ => {
                self.others.push(waker.clone());
                self.others.len()
            }
        }
    }

    /// Moves the wakers to the end of a list, in which equal neighbours are one.
    pub(super) fn take(&mut self, wakers: &mut Vec<Waker>) {
        for waker in self.first.take().into_iter().chain(self.others.drain(..)) {
            if !wakers.last().is_some_and(|last| last.will_wake(&waker)) {
                wakers.push(waker);
            }
        }
    }

    /// Adds clones of the wakers to a list.
    pub(super) fn copy(&self, wakers: &mut Vec<Waker>) {
        for waker in self.first.iter().chain(&self.others) {
            if !wakers.last().is_some_and(|last| last.will_wake(waker)) {
                wakers.push(waker.clone());
            }
        }
    }
}
