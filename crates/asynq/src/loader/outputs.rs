//! The outputs of a loader's state machine, performed on its state: sent keys, answers, deadlines.

use std::mem;
use std::sync::Arc;

use asynq_loader::{Answered, Output, PartId, SlotId};
use hashbrown::HashTable;
use slotmap::{SecondaryMap, SlotMap};

use super::caches::SharedCache;
use super::entry::{Entry, KeyPlace, Outcome, Status};
use super::error::{LoadError, TimeoutError};
use super::id::EntryId;
use super::key::{Key, name};
use super::spare::is_too_large;
use super::state::{State, key_of};

impl<K: Key, V: Clone + 'static> State<K, V> {
    /// Gives the key at `index` of a part its answer. Returns its entry, and whether the value may be cached, unless the
    /// answer is dropped.
    #[inline(always)]
    pub(super) fn answer(&mut self, part: PartId, index: usize) -> Option<(EntryId, bool)> {
        let Answered { is_fresh, .. } = self.machine.answered(part, index)?;
        let id = *self.parts.get(part)?.entries.get(index)?;
        Some((id, is_fresh))
    }

    /// Gives an entry its value or error.
    #[inline(always)]
    pub(super) fn resolve(&mut self, id: EntryId, outcome: Outcome<V>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.outcome = outcome;
        entry.pending = None;
        self.wakers.wake(&mut entry.waits);
        if entry.handles == 0 {
            self.remove(id);
        }
    }

    /// Returns the entry of a slot that has not ended, or has ended now.
    pub(super) fn entry_of(&self, slot: SlotId) -> Option<EntryId> {
        self.slots.get(slot).copied()
    }

    pub(super) fn index_in_part(&self, id: EntryId) -> Option<usize> {
        self.entries.get(id)?.index_in_part()
    }

    /// Takes the caches for the value of an entry.
    pub(super) fn take_caches(&mut self, id: EntryId) -> Vec<SharedCache<K, V>> {
        self.entries.get_mut(id).map(Entry::take_caches).unwrap_or_default()
    }

    /// Wakes the loads of some entries, which poll their jobs then.
    pub(super) fn wake(&mut self, entries: &[EntryId]) {
        for entry in entries.iter().filter_map(|&id| self.entries.get(id)) {
            self.wakers.wake_waiting(&entry.waits);
        }
    }

    /// Wakes the loads of all keys.
    pub(super) fn wake_all(&mut self) {
        for entry in self.entries.values() {
            self.wakers.wake_waiting(&entry.waits);
        }
    }

    /// Returns the key of an entry as errors name it.
    pub(super) fn key_name(&self, id: EntryId) -> String {
        self.entries
            .get(id)
            .and_then(|entry| key_of(entry, &self.parts))
            .map(name)
            .unwrap_or_default()
    }

    /// Removes a part that has ended.
    pub(super) fn end_part(&mut self, part: PartId) {
        self.effects.ended.extend(self.parts.remove(part));
    }

    /// Takes the keys of a part that has been sent.
    pub(super) fn take_keys(&mut self, part: PartId) -> (Vec<K>, Vec<EntryId>) {
        let slots = self.machine.slots_of(part).unwrap_or_default();
        let (mut keys, mut entries) =
            (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for (index, slot) in (0..).zip(slots) {
            let id = self.slots[*slot];
            let entry = &mut self.entries[id];
            entry.pending = Some(Status::Sent);
            if let KeyPlace::Here(key) = mem::replace(&mut entry.key, KeyPlace::Part(part, index)) {
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
                self.effects.withdrawn.extend(self.claims.remove(part));
                self.effects.cancelled.extend(self.parts.remove(part));
            }
            Output::Resolve(slot) => {
                let Some(id) = self.entry_of(slot) else { return };
                let Some(entry) = self.entries.get_mut(id) else { return };
                if let Outcome::Cached(outcome) = mem::replace(&mut entry.outcome, Outcome::Pending)
                {
                    self.resolve(id, outcome.into());
                }
            }
            Output::Forget(slot) => {
                if let Some(id) = self.entry_of(slot) {
                    self.remove(id);
                }
            }
            Output::Late(slot) => {
                let Some(id) = self.entry_of(slot) else { return };
                let (key, after) = (self.key_name(id), self.settings.timeout.unwrap_or_default());
                let error = Arc::new(TimeoutError { after });
                let error = LoadError::Failed { key, error };
                self.resolve(id, Outcome::Failed(Arc::new(error)));
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
                    entries.get(id).is_some_and(|entry| entry.pending.is_some())
                });
            }
            return;
        }
        self.table.clear();
        self.wakers.sweep(keys);
        if is_too_large(self.table.capacity(), keys) {
            self.table = HashTable::new();
        }
        if self.entries.is_empty() && is_too_large(self.entries.capacity(), keys) {
            self.entries = SlotMap::with_key();
            self.slots = SecondaryMap::new();
        }
    }

    /// Returns the time at which something is due, whatever the loads do.
    pub(super) fn deadline(&self) -> Option<u64> {
        let parts = self.parts.keys().filter_map(|part| self.machine.deadline(part));
        let waiting = self.machine.waiting_parts().next();
        let waiting = waiting.and_then(|part| self.machine.deadline(part));
        parts.chain(waiting).chain(self.machine.round_deadline()).min()
    }

    /// Returns the next deadline, if no timer is set before it.
    pub(super) fn timer_to_set(&self) -> Option<u64> {
        if self.is_timer_lost {
            return None;
        }
        let deadline = self.deadline()?;
        (!self.is_timer_set(deadline)).then_some(deadline)
    }

    /// Returns whether a timer is set for a time, or an earlier one. That of a runtime which stands still is not.
    pub(super) fn is_timer_set(&self, latest: u64) -> bool {
        self.timers.iter().any(|timer| timer.time <= latest && timer.goes_on_here())
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: u64) {
        self.machine.round_late(now);
        let is_due = |part: &PartId| self.machine.deadline(*part).is_some_and(|time| time <= now);
        let due: Vec<_> = self.parts.keys().filter(is_due).collect();
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
