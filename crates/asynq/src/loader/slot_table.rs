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

/// Number of entries for which an idle table keeps room, however few keys it has had.
const SPARE_CAPACITY: usize = 1 << 10;

/// Keys with the slots that they got last. Slots that have ended are removed from time to time.
pub(super) struct SlotTable<K> {
    entries: RefCell<HashTable<(K, SlotId)>>,
    hasher: RandomState,
}

impl<K: Eq + Hash> SlotTable<K> {
    pub(super) fn new() -> Self {
        Self { entries: RefCell::default(), hasher: RandomState::default() }
    }

    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Returns the slot that a key got last, which may have ended.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<SlotId> {
        let entries = self.entries.try_borrow().ok()?;
        entries.find(hash, |(other, _)| other == key).map(|&(_, slot)| slot)
    }

    /// Adds a key that is not in the table.
    #[inline]
    pub(super) fn insert(&self, hash: u64, key: K, slot: SlotId) {
        if let Ok(mut entries) = self.entries.try_borrow_mut() {
            entries.insert_unique(hash, (key, slot), |(key, _)| self.hash(key));
        }
    }

    /// Gives the key of a slot another slot.
    pub(super) fn replace(&self, hash: u64, before: SlotId, slot: SlotId) {
        if let Ok(mut entries) = self.entries.try_borrow_mut()
            && let Some((_, place)) = entries.find_mut(hash, |&(_, other)| other == before)
        {
            *place = slot;
        }
    }

    /// Returns the number of keys, those included whose slots have ended; 0 while the table is in use.
    pub(super) fn len(&self) -> usize {
        self.entries.try_borrow().map_or(0, |entries| entries.len())
    }

    /// Removes the keys whose slots have ended.
    pub(super) fn retain(&self, is_pending: impl Fn(SlotId) -> bool) {
        let removed: Vec<_> = match self.entries.try_borrow_mut() {
            Ok(mut entries) => entries.extract_if(|&mut (_, slot)| !is_pending(slot)).collect(),
            Err(_) => return,
        };
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

/// Returns whether a table has much more room than it needed for so many keys.
pub(super) fn is_too_large(capacity: usize, keys: usize) -> bool {
    capacity > SPARE_CAPACITY.max(4 * keys)
}
