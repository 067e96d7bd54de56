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

/// Number of keys that are added to the table together. A large table is in no cache, so each addition
/// has to wait for memory; these wait at the same time.
const RECENT: usize = 8;

/// Keys with the slots that they got last. Slots that have ended are removed from time to time.
pub(super) struct SlotTable<K> {
    entries: RefCell<Entries<K>>,
    hasher: RandomState,
}

struct Entries<K> {
    table: HashTable<(K, Place)>,
    /// Keys that are not in the table yet, with their hashes.
    recent: Vec<(u64, K, Place)>,
}

/// The slot of a key, and the index of its item in the batch that was open when it was loaded.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: SlotId,
    pub(super) item: u32,
}

impl<K> Entries<K> {
    fn new() -> Self {
        Self { table: HashTable::new(), recent: Vec::new() }
    }

    fn len(&self) -> usize {
        self.table.len() + self.recent.len()
    }
}

impl<K: Eq + Hash> SlotTable<K> {
    pub(super) fn new() -> Self {
        Self { entries: RefCell::new(Entries::new()), hasher: RandomState::default() }
    }

    #[inline]
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Returns the place that a key got last, whose slot may have ended.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<Place> {
        let entries = self.entries.try_borrow().ok()?;
        if !entries.table.is_empty()
            && let Some(&(_, place)) = entries.table.find(hash, |(other, _)| other == key)
        {
            return Some(place);
        }
        let mut recent = entries.recent.iter();
        let found = recent.find(|(one, other, _)| *one == hash && other == key);
        found.map(|&(.., place)| place)
    }

    /// Adds a key that is not in the table.
    #[inline]
    pub(super) fn insert(&self, hash: u64, key: K, place: Place) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        entries.recent.push((hash, key, place));
        if entries.recent.len() < RECENT {
            return;
        }
        let Entries { table, recent } = &mut *entries;
        for (hash, key, place) in recent.drain(..) {
            table.insert_unique(hash, (key, place), |(key, _)| self.hash(key));
        }
    }

    /// Gives the key of a slot another place.
    pub(super) fn replace(&self, hash: u64, before: SlotId, place: Place) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        let Entries { table, recent } = &mut *entries;
        let mut recent = recent.iter_mut().map(|(.., place)| place);
        let found = recent.find(|place| place.slot == before).or_else(|| {
            let entry = table.find_mut(hash, |(_, place)| place.slot == before);
            entry.map(|(_, place)| place)
        });
        if let Some(found) = found {
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
        let Entries { table, recent } = &mut *entries;
        let is_ended = |place: &Place| !is_pending(place.slot);
        let removed: Vec<_> = table.extract_if(|(_, place)| is_ended(place)).collect();
        let recently: Vec<_> = recent.extract_if(.., |(.., place)| is_ended(place)).collect();
        drop(entries);
        drop((removed, recently));
    }

    /// Removes all keys. Keeps room for about as many.
    pub(super) fn clear(&self) {
        let Ok(mut entries) = self.entries.try_borrow_mut() else { return };
        let is_kept = !is_too_large(entries.table.capacity(), entries.len());
        if is_kept && !mem::needs_drop::<K>() {
            entries.table.clear();
            entries.recent.clear();
            return;
        }
        let mut removed = mem::replace(&mut *entries, Entries::new());
        drop(entries);
        removed.table.clear();
        removed.recent.clear();
        if is_kept
            && let Ok(mut entries) = self.entries.try_borrow_mut()
            && entries.len() == 0
        {
            *entries = removed;
        }
    }
}

/// Returns whether a table has much more room than it needed for so many keys.
pub(super) fn is_too_large(capacity: usize, keys: usize) -> bool {
    capacity > SPARE_CAPACITY.max(4 * keys)
}
