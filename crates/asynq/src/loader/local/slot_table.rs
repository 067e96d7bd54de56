//! The slots of keys: where a load finds another load of an equal key.
//!
//! # Note: code of users
//!
//! Hashing, comparing and dropping keys runs code of users, which may call the loader. A call that comes
//! while the table is in use does without it: it finds nothing, and its key is not added. At worst, a key
//! is sent twice. Keys are dropped when the table is not in use.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash};
use std::mem;

use asynq_loader::SlotId;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::loader::spare::is_too_large;

/// Keys with the slots that they got last. Slots that have ended are removed from time to time.
pub(super) struct SlotTable<K> {
    entries: RefCell<HashTable<(K, Place)>>,
    hasher: RandomState,
}

/// The slot of a key, and its first item.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: SlotId,
    /// Number of the batch.
    pub(super) batch: u32,
    /// Index in the batch.
    pub(super) item: u32,
}

impl<K: Eq + Hash> SlotTable<K> {
    pub(super) fn new() -> Self {
        Self { entries: RefCell::new(HashTable::new()), hasher: RandomState::default() }
    }

    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Returns the place that a key got last, whose slot may have ended.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<Place> {
        // Not shared: a comparison that loads would compare again.
        let entries = self.entries.try_borrow_mut().ok()?;
        // Looking into an empty table costs more.
        if entries.is_empty() {
            return None;
        }
        entries.find(hash, |(other, _)| other == key).map(|&(_, place)| place)
    }

    /// Returns the place that a key got last, whose slot may have ended. If it has had none, gives it the
    /// one that `place` returns, and returns `None`.
    #[inline]
    pub(super) fn find_or_insert(
        &self,
        hash: u64,
        key: &K,
        place: impl FnOnce() -> Place,
    ) -> Option<Place>
    where
        K: Clone,
    {
        let Ok(mut entries) = self.entries.try_borrow_mut() else {
            place();
            return None;
        };
        let is_key = |(other, _): &(K, Place)| other == key;
        match entries.entry(hash, is_key, |(key, _)| self.hash(key)) {
            Entry::Occupied(entry) => Some(entry.get().1),
            Entry::Vacant(entry) => {
                let key = key.clone();
                entry.insert((key, place()));
                None
            }
        }
    }

    /// Adds a key that is not in the table.
    #[inline]
    pub(super) fn insert(&self, hash: u64, key: K, place: Place) {
        if let Ok(mut entries) = self.entries.try_borrow_mut() {
            entries.insert_unique(hash, (key, place), |(key, _)| self.hash(key));
        }
    }

    /// Gives the key of a slot another place.
    pub(super) fn replace(&self, hash: u64, before: SlotId, place: Place) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        if let Some((_, found)) = entries.find_mut(hash, |(_, place)| place.slot == before) {
            *found = place;
        }
    }

    /// Returns the number of keys, those included whose slots have ended; 0 while the table is in use.
    pub(super) fn len(&self) -> usize {
        self.entries.try_borrow().map_or(0, |entries| entries.len())
    }

    /// Removes the keys whose slots have ended.
    pub(super) fn retain(&self, is_pending: impl Fn(SlotId) -> bool) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        let removed: Vec<_> = entries.extract_if(|(_, place)| !is_pending(place.slot)).collect();
        drop(entries);
        drop(removed);
    }

    /// Removes all keys. Keeps room for about as many.
    pub(super) fn clear(&self) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        let is_kept = !is_too_large(entries.capacity(), entries.len());
        if is_kept && !mem::needs_drop::<K>() {
            return entries.clear();
        }
        let mut removed = mem::take(&mut *entries);
        drop(entries);
        removed.clear();
        if is_kept
            && let Ok(mut entries) = self.entries.try_borrow_mut()
            && entries.is_empty()
        {
            *entries = removed;
        }
    }
}
