//! The state of a loader, which its lock guards.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use asynq_loader::{ClaimId, Join, Loader as Machine, Output, PartId, SlotId};
use hashbrown::HashTable;
use slotmap::{SecondaryMap, SlotMap};

use super::entry::{Entry, EntryId, KeyPlace, Outcome};
use super::error::{LoadError, TimeoutError};
use super::flight::Flight;
use super::job::Job;
use super::key::{Key, name};
use super::limits::Claim;
use super::scope_cache::SharedCache;
use super::settings::Settings;

/// Number of keys for which an idle table keeps room, however few keys it has had.
const SPARE_CAPACITY: usize = 1 << 10;

pub(super) struct State<K, V> {
    pub(super) settings: Arc<Settings<K, V>>,
    pub(super) machine: Machine,
    pub(super) entries: SlotMap<EntryId, Entry<K, V>>,
    /// Entries by the hashes of their keys. Those that have ended are removed from time to time.
    table: HashTable<(u64, EntryId)>,
    slots: SecondaryMap<SlotId, EntryId>,
    pub(super) parts: HashMap<PartId, Part<K>>,
    /// Claims of parts that wait for their permits.
    pub(super) claims: HashMap<PartId, Claim>,
    /// Parts that got their permits before their claims were kept.
    pub(super) granted: Vec<PartId>,
    /// Calls that wait for keys which were not sent, and lend their permits to the parts of these.
    lenders: Vec<(EntryId, ClaimId)>,
    /// Jobs that no runtime polls.
    pub(super) in_place: Vec<Arc<Job>>,
    /// Time for which a timer is set, with its job.
    pub(super) timer: Option<(u64, Option<Arc<Job>>)>,
    /// Wait of the loads outside of requests.
    pub(super) outside: Outside,
    /// The time at which a key is loaded matters.
    pub(super) is_timed: bool,
    pub(super) effects: Effects<K, V>,
}

/// Status of a pending key.
#[derive(Clone, Copy)]
pub(super) enum Status {
    Unsent,
    Cached(SlotId),
    Sent,
}

/// A call of the batch function.
pub(super) struct Part<K> {
    pub(super) keys: Arc<Vec<K>>,
    pub(super) entries: Vec<EntryId>,
    pub(super) flight: Arc<Flight>,
    /// The call, if the function is async.
    pub(super) job: Option<Arc<Job>>,
    /// Its permits.
    pub(super) _claim: Option<Claim>,
}

/// Loads that were polled outside of requests and tasks.
#[derive(Default)]
pub(super) struct Outside {
    /// A task will send the round.
    pub(super) has_sender: bool,
    pub(super) has_keys: bool,
    pub(super) cached: Vec<SlotId>,
}

/// Consequences of a change of the state, carried out once the lock is released: they run code of users.
pub(super) struct Effects<K, V> {
    /// Parts that claim permits.
    pub(super) claims: Vec<PartId>,
    pub(super) cancelled: Vec<Part<K>>,
    ended: Vec<Part<K>>,
    wakers: Vec<Waker>,
    withdrawn: Vec<Claim>,
    entries: Vec<Entry<K, V>>,
}

impl<K, V> Default for Effects<K, V> {
    fn default() -> Self {
        Self {
            claims: Vec::new(),
            cancelled: Vec::new(),
            ended: Vec::new(),
            wakers: Vec::new(),
            withdrawn: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl<K, V> Effects<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.cancelled.is_empty()
            && self.ended.is_empty()
            && self.wakers.is_empty()
            && self.withdrawn.is_empty()
            && self.entries.is_empty()
    }

    /// Wakes loads, cancels jobs, and drops keys and values. Returns the parts that claim permits.
    pub(super) fn run(self) -> Vec<PartId> {
        self.wakers.into_iter().for_each(Waker::wake);
        for part in &self.cancelled {
            if let Some(job) = &part.job {
                job.cancel();
            }
        }
        self.claims
    }
}

impl<K: Key, V: Clone + 'static> State<K, V> {
    pub(super) fn new(settings: Settings<K, V>) -> Self {
        let for_machine = settings.for_machine();
        let mut state = Self {
            settings: Arc::new(settings),
            machine: Machine::new(for_machine),
            entries: SlotMap::with_key(),
            table: HashTable::new(),
            slots: SecondaryMap::new(),
            parts: HashMap::new(),
            claims: HashMap::new(),
            granted: Vec::new(),
            lenders: Vec::new(),
            in_place: Vec::new(),
            timer: None,
            outside: Outside::default(),
            is_timed: false,
            effects: Effects::default(),
        };
        state.set(|_| {});
        state
    }

    pub(super) fn set(&mut self, set: impl FnOnce(&mut Settings<K, V>)) {
        let settings = Arc::make_mut(&mut self.settings);
        set(settings);
        let for_machine = settings.for_machine();
        self.is_timed = for_machine.max_delay.is_some()
            || for_machine.hold > 0
            || for_machine.timeout.is_some()
            || for_machine.busy.is_some();
        self.machine.set(for_machine);
    }

    /// Finds the entry of a key.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<EntryId> {
        if self.table.is_empty() {
            return None;
        }
        let is_key = |&(other, id): &(u64, EntryId)| {
            other == hash
                && self.entries.get(id).is_some_and(|entry| {
                    entry.outcome.is_pending() && self.key(entry).is_some_and(|other| other == key)
                })
        };
        self.table.find(hash, is_key).map(|&(_, id)| id)
    }

    fn key<'s>(&'s self, entry: &'s Entry<K, V>) -> Option<&'s K> {
        match &entry.key {
            KeyPlace::Here(key) => Some(key),
            KeyPlace::Part(part, index) => self.parts.get(part)?.keys.get(*index as usize),
            KeyPlace::Cached => None,
        }
    }

    /// Shares an entry that is pending.
    pub(super) fn join(&mut self, id: EntryId, cache: Option<&SharedCache<K, V>>) -> Join {
        let Some(entry) = self.entries.get_mut(id) else { return Join::Gone };
        let parts = &self.parts;
        let is_asker =
            |part| parts.get(&part).is_some_and(|part| part.flight.is_around_this_code());
        let join = self.machine.join(entry.slot, is_asker);
        if join == Join::Shared {
            entry.handles += 1;
            if let Some(cache) = cache {
                entry.add_cache(cache);
            }
        }
        join
    }

    /// Adds a key that has no entry, or whose entry `before` has been detached.
    pub(super) fn add(
        &mut self,
        hash: u64,
        key: K,
        before: Option<EntryId>,
        cache: Option<&SharedCache<K, V>>,
        now: u64,
    ) -> EntryId {
        let slot = self.machine.load(now);
        let mut entry = Entry::new(slot, KeyPlace::Here(key), Outcome::Pending);
        if let Some(cache) = cache {
            entry.add_cache(cache);
        }
        let id = self.entries.insert(entry);
        self.slots.insert(slot, id);
        let found = before.and_then(|before| self.table.find_mut(hash, |&(_, id)| id == before));
        match found {
            Some(found) => found.1 = id,
            None => {
                self.table.insert_unique(hash, (hash, id), |&(hash, _)| hash);
            }
        }
        id
    }

    /// Adds a load of a cached key.
    pub(super) fn add_cached(&mut self, outcome: Result<V, LoadError>) -> EntryId {
        let slot = self.machine.load_cached_apart();
        let entry = Entry::new(slot, KeyPlace::Cached, Outcome::Cached(outcome));
        let id = self.entries.insert(entry);
        self.slots.insert(slot, id);
        id
    }

    /// Returns the status of an entry, if it is pending.
    #[inline]
    pub(super) fn status(&self, id: EntryId) -> Option<Status> {
        let entry = self.entries.get(id)?;
        match entry.outcome {
            Outcome::Pending if matches!(entry.key, KeyPlace::Here(_)) => Some(Status::Unsent),
            Outcome::Pending => Some(Status::Sent),
            Outcome::Cached(_) => Some(Status::Cached(entry.slot)),
            Outcome::Value(_) | Outcome::Failed(_) | Outcome::Panicked(_) => None,
        }
    }

    /// Takes the outcome for one load, if it is there.
    #[inline]
    pub(super) fn take(&mut self, id: EntryId) -> Option<Outcome<V>> {
        let entry = self.entries.get_mut(id)?;
        if entry.outcome.is_pending() {
            return None;
        }
        if entry.handles > 1 {
            // Cloned before it is counted, since the clone may panic.
            let outcome = entry.outcome.clone();
            entry.handles -= 1;
            return Some(outcome);
        }
        let mut entry = self.entries.remove(id)?;
        let outcome = mem::replace(&mut entry.outcome, Outcome::Pending);
        if matches!(entry.key, KeyPlace::Here(_)) {
            self.effects.entries.push(entry);
        }
        Some(outcome)
    }

    /// Notes that a load was dropped before it had taken the value.
    pub(super) fn release(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.handles -= 1;
        let slot = entry.slot;
        if entry.outcome.is_pending() {
            self.machine.cancel(slot);
        } else if entry.handles == 0 {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: EntryId) {
        self.effects.entries.extend(self.entries.remove(id));
    }

    /// Gives the entry of a slot its value or error.
    pub(super) fn resolve(&mut self, slot: SlotId, outcome: Outcome<V>) {
        let Some(id) = self.slots.remove(slot) else { return };
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.outcome = outcome;
        entry.waiters.take(&mut self.effects.wakers);
        if entry.handles == 0 {
            self.remove(id);
        }
    }

    pub(super) fn entry_of(&mut self, slot: SlotId) -> Option<&mut Entry<K, V>> {
        self.entries.get_mut(*self.slots.get(slot)?)
    }

    /// Notes that a call with permits waits for a key.
    pub(super) fn add_lender(&mut self, entry: EntryId, lender: ClaimId) {
        self.lenders.push((entry, lender));
    }

    /// Returns the claims of the calls that wait for keys which were not sent.
    pub(super) fn lenders(&mut self) -> Vec<ClaimId> {
        let mut lenders = std::mem::take(&mut self.lenders);
        lenders.retain(|&(entry, _)| matches!(self.status(entry), Some(Status::Unsent)));
        self.lenders = lenders;
        self.lenders.iter().map(|&(_, lender)| lender).collect()
    }

    /// Wakes the loads of some entries, which poll their jobs then.
    pub(super) fn wake(&mut self, entries: &[EntryId]) {
        for entry in entries.iter().filter_map(|&id| self.entries.get(id)) {
            entry.waiters.copy(&mut self.effects.wakers);
        }
    }

    /// Wakes the loads of all keys.
    pub(super) fn wake_all(&mut self) {
        for entry in self.entries.values() {
            entry.waiters.copy(&mut self.effects.wakers);
        }
    }

    /// Returns the key of an entry as errors name it.
    pub(super) fn key_name(&self, id: EntryId) -> String {
        self.entries.get(id).and_then(|entry| self.key(entry)).map(name).unwrap_or_default()
    }

    /// Removes a part that has ended.
    pub(super) fn end_part(&mut self, part: PartId) {
        self.effects.ended.extend(self.parts.remove(&part));
    }

    /// Takes the keys of a part that has been sent.
    pub(super) fn take_keys(&mut self, part: PartId) -> (Vec<K>, Vec<EntryId>) {
        let slots = self.machine.slots_of(part).unwrap_or_default();
        let (mut keys, mut entries) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (index, slot) in (0..).zip(slots) {
            let id = self.slots[*slot];
            let place = &mut self.entries[id].key;
            if let KeyPlace::Here(key) = mem::replace(place, KeyPlace::Part(part, index)) {
                keys.push(key);
            }
            entries.push(id);
        }
        (keys, entries)
    }

    /// Performs the outputs of the state machine.
    #[inline]
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.machine.next_output() {
            self.perform_output(output);
        }
    }

    fn perform_output(&mut self, output: Output) {
        match output {
            Output::Claim(part) => self.effects.claims.push(part),
            Output::Cancel(part) => {
                self.effects.withdrawn.extend(self.claims.remove(&part));
                self.effects.cancelled.extend(self.parts.remove(&part));
            }
            Output::Resolve(slot) => {
                let Some(entry) = self.entry_of(slot) else { return };
                if let Outcome::Cached(outcome) = mem::replace(&mut entry.outcome, Outcome::Pending)
                {
                    self.resolve(slot, outcome.into());
                }
            }
            Output::Forget(slot) => {
                if let Some(id) = self.slots.remove(slot) {
                    self.remove(id);
                }
            }
            Output::Late(slot) => {
                let Some(entry) = self.slots.get(slot).and_then(|&id| self.entries.get(id)) else {
                    return;
                };
                let key = self.key(entry).map(name).unwrap_or_default();
                let after = self.settings.timeout.unwrap_or_default();
                let error = Arc::new(TimeoutError { after });
                self.resolve(slot, Outcome::Failed(LoadError::Failed { key, error }));
            }
        }
    }

    /// Gives back the memory of keys that have ended, if these are most of the keys.
    pub(super) fn sweep(&mut self) {
        let (pending, keys) = (self.machine.pending(), self.table.len());
        if pending > 0 {
            if keys >= 2 * pending + 16 {
                let entries = &self.entries;
                self.table.retain(|&mut (_, id)| {
                    entries.get(id).is_some_and(|entry| entry.outcome.is_pending())
                });
            }
            return;
        }
        self.table.clear();
        let is_too_large = |capacity: usize| capacity > SPARE_CAPACITY.max(4 * keys);
        if is_too_large(self.table.capacity()) {
            self.table = HashTable::new();
        }
        if self.entries.is_empty() && is_too_large(self.entries.capacity()) {
            self.entries = SlotMap::with_key();
            self.slots = SecondaryMap::new();
        }
    }

    /// Returns the time at which something is due, whatever the loads do.
    pub(super) fn deadline(&self) -> Option<u64> {
        let parts = self.parts.keys().filter_map(|&part| self.machine.deadline(part));
        let waiting = self.machine.waiting_parts().next();
        let waiting = waiting.and_then(|part| self.machine.deadline(part));
        parts.chain(waiting).chain(self.machine.round_deadline()).min()
    }

    /// Returns the next deadline, if no timer is set before it.
    pub(super) fn timer_to_set(&self) -> Option<u64> {
        let deadline = self.deadline()?;
        let is_set = self.timer.as_ref().is_some_and(|(time, _)| *time <= deadline);
        (!is_set).then_some(deadline)
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: u64) {
        self.machine.round_late(now);
        let is_due = |part: &PartId| self.machine.deadline(*part).is_some_and(|time| time <= now);
        let due: Vec<_> = self.parts.keys().copied().filter(is_due).collect();
        for part in due {
            self.machine.late(part, now);
        }
        // Keys that wait for permits may be late as well.
        let waiting = self.machine.waiting_parts().next();
        if let Some(part) = waiting {
            self.machine.late(part, now);
        }
    }
}
