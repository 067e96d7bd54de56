//! The slots of keys: where a load finds another load of an equal key.
//!
//! # Note: code of users
//!
//! Hashing, comparing, cloning and dropping keys runs code of users, which may call the loader. So the
//! table is taken out while it is searched. A call inside finds an empty table, and fills that; then
//! both are joined. At worst, a key is sent twice.

use std::cell::Cell;
use std::hash::{BuildHasher, Hash};
use std::mem;

use asynq_loader::SlotId;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Number of entries for which an idle table keeps room, however few keys it has had.
const SPARE_CAPACITY: usize = 1 << 10;

/// Keys with the slots that they got last. Slots that have ended are removed from time to time.
pub(super) struct SlotTable<K> {
    entries: Cell<HashTable<(K, SlotId)>>,
    hasher: RandomState,
    /// Number of entries.
    len: Cell<usize>,
}

/// The entries, taken out of their table until this is dropped.
struct Taken<'t, K: Eq + Hash> {
    table: &'t SlotTable<K>,
    entries: HashTable<(K, SlotId)>,
}

impl<K: Eq + Hash> SlotTable<K> {
    pub(super) fn new() -> Self {
        Self { entries: Cell::default(), hasher: RandomState::default(), len: Cell::new(0) }
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
        if self.len.get() == 0 {
            return None;
        }
        self.take().entries.find(hash, |(other, _)| other == key).map(|&(_, slot)| slot)
    }

    /// Adds a key that is not in the table.
    #[inline]
    pub(super) fn insert(&self, hash: u64, key: K, slot: SlotId) {
        let rehash = |(key, _): &(K, SlotId)| self.hash(key);
        self.take().entries.insert_unique(hash, (key, slot), rehash);
        self.len.set(self.len.get() + 1);
    }

    /// Gives the key of a slot another slot.
    pub(super) fn replace(&self, hash: u64, before: SlotId, slot: SlotId) {
        let mut taken = self.take();
        if let Some((_, place)) = taken.entries.find_mut(hash, |&(_, other)| other == before) {
            *place = slot;
        }
    }

    /// Removes the keys whose slots have ended, if these are most of them. `pending` is the number of
    /// slots that have not.
    pub(super) fn sweep(&self, pending: usize, is_pending: impl Fn(SlotId) -> bool) {
        let len = self.len.get();
        if len == 0 || len < 2 * pending + 16 && pending > 0 {
            return;
        }
        let mut taken = self.take();
        if pending > 0 {
            taken.entries.retain(|&mut (_, slot)| is_pending(slot));
            self.len.set(taken.entries.len());
            return;
        }
        self.len.set(0);
        if taken.entries.capacity() > SPARE_CAPACITY.max(4 * len) {
            drop(mem::take(&mut taken.entries));
        } else {
            taken.entries.clear();
        }
    }
}

impl<K: Eq + Hash> Drop for Taken<'_, K> {
    #[inline]
    fn drop(&mut self) {
        let table = self.table;
        let others = table.entries.replace(mem::take(&mut self.entries));
        if others.is_empty() {
            return;
        }
        for (key, slot) in others {
            table.insert(table.hash(&key), key, slot);
        }
    }
}
