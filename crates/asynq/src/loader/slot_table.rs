//! The slots of keys: where a load finds another load of an equal key.
//!
//! # Note: code of users
//!
//! Hashing, comparing, cloning and dropping keys runs code of users, which may call the loader. So the
//! table is taken out while it is searched. A call inside finds an empty table, and fills that; then
//! both are joined. At worst, a key is sent twice.

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

/// The entries, taken out of their table until this is dropped.
struct Taken<'t, K: Eq + Hash> {
    table: &'t SlotTable<K>,
    entries: HashTable<(K, SlotId)>,
}

impl<K: Eq + Hash> SlotTable<K> {
    pub(super) fn new() -> Self {
        Self { entries: RefCell::default(), hasher: RandomState::default() }
    }

    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    fn take(&self) -> Taken<'_, K> {
        Taken { table: self, entries: self.entries.take() }
    }

    /// Returns the slot that a key got last, which may have ended.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<SlotId> {
        // Nearly always, an entry with this hash has this key.
        self.entries.borrow().find(hash, |_| true)?;
        self.take().entries.find(hash, |(other, _)| other == key).map(|&(_, slot)| slot)
    }

    /// Adds a key that is not in the table.
    #[inline]
    pub(super) fn insert(&self, hash: u64, key: K, slot: SlotId) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() < entries.capacity() {
            entries.insert_unique(hash, (key, slot), |_| unreachable!("there is room"));
        } else {
            drop(entries);
            self.take().insert(hash, key, slot);
        }
    }

    /// Gives the key of a slot another slot.
    pub(super) fn replace(&self, hash: u64, before: SlotId, slot: SlotId) {
        let mut entries = self.entries.borrow_mut();
        if let Some((_, place)) = entries.find_mut(hash, |&(_, other)| other == before) {
            *place = slot;
        }
    }

    /// Returns the number of keys, those included whose slots have ended.
    pub(super) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Removes the keys whose slots have ended.
    pub(super) fn retain(&self, is_pending: impl Fn(SlotId) -> bool) {
        self.take().entries.retain(|&mut (_, slot)| is_pending(slot));
    }

    /// Removes all keys. Keeps room for about as many.
    pub(super) fn clear(&self) {
        let mut taken = self.take();
        if is_too_large(taken.entries.capacity(), taken.entries.len()) {
            drop(mem::take(&mut taken.entries));
        } else {
            taken.entries.clear();
        }
    }
}

/// Returns whether a table has much more room than it needed for so many keys.
pub(super) fn is_too_large(capacity: usize, keys: usize) -> bool {
    capacity > SPARE_CAPACITY.max(4 * keys)
}

impl<K: Eq + Hash> Taken<'_, K> {
    fn insert(&mut self, hash: u64, key: K, slot: SlotId) {
        let rehash = |(key, _): &(K, SlotId)| self.table.hash(key);
        self.entries.insert_unique(hash, (key, slot), rehash);
    }
}

impl<K: Eq + Hash> Drop for Taken<'_, K> {
    #[inline]
    fn drop(&mut self) {
        let others = self.table.entries.replace(mem::take(&mut self.entries));
        if others.is_empty() {
            return;
        }
        for (key, slot) in others {
            self.table.insert(self.table.hash(&key), key, slot);
        }
    }
}
