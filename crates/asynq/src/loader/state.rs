//! The state of a loader, which its lock guards.

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use asynq_loader::{Join, Loader as Machine, PartId, SlotId};
use hashbrown::{HashTable, hash_table};
use slotmap::{SecondaryMap, SlotMap};

use super::caches::SharedCache;
use super::effects::{Effects, Part};
use super::entry::{Entry, KeyPlace, Outcome, Status};
use super::error::LoadError;
use super::id::{EntryId, HostId};
use super::job::Job;
use super::key::{Key, name};
use super::limits::Claim;
use super::runtime::RuntimeId;
use super::settings::{self, Settings};
use super::threads::AllThreads;
use super::wakers::{WaitId, Wakers};

pub(super) struct State<K, V> {
    pub(super) settings: Arc<Settings<K, V, AllThreads>>,
    pub(super) machine: Machine,
    pub(super) entries: SlotMap<EntryId, Entry<K, V>>,
    /// Entries by the hashes of their keys. Those that have ended are removed from time to time.
    pub(super) table: HashTable<(u64, EntryId)>,
    pub(super) slots: SecondaryMap<SlotId, EntryId>,
    pub(super) parts: Parts<K>,
    /// Claims of parts that wait for their permits.
    pub(super) claims: SecondaryMap<PartId, Claim>,
    /// Parts that got their permits before their claims were kept.
    pub(super) granted: Vec<PartId>,
    /// Jobs that no runtime polls.
    pub(super) in_place: Vec<Arc<Job>>,
    /// Timers: one in each runtime that others cannot rely on, at most.
    pub(super) timers: Vec<Timer>,
    /// A timer was dropped with its runtime. The next load that is polled sets a new one.
    pub(super) is_timer_lost: bool,
    /// Wait of the loads outside of requests.
    pub(super) outside: Outside,
    /// The time at which a key is loaded matters.
    pub(super) is_timed: bool,
    pub(super) wakers: Wakers,
    pub(super) effects: Effects<K, V>,
}

type Parts<K> = SecondaryMap<PartId, Part<K>>;

/// Result of a load.
pub(super) enum Loaded<K> {
    Entry(EntryId),
    /// Code of users under the lock has called: the key is looked up when it is awaited.
    Later(K),
    Failed(Arc<LoadError>),
}

/// A load that was polled outside of the scheduler, and waits.
pub(super) struct Registered {
    pub(super) wait: WaitId,
    pub(super) status: Status,
    pub(super) slot: SlotId,
    /// Jobs wait for somebody to poll them.
    pub(super) has_jobs: bool,
}

/// Loads that were polled outside of requests and tasks.
#[derive(Default)]
pub(super) struct Outside {
    /// Runtimes in which a task will send the round.
    senders: Vec<RuntimeId>,
    pub(super) has_keys: bool,
    pub(super) cached: Vec<SlotId>,
}

impl Outside {
    /// Notes that a task of `runtime` will send the round. Returns `false` if there is one already that will go on.
    pub(super) fn add_sender(&mut self, runtime: RuntimeId) -> bool {
        if self.senders.iter().any(|sender| sender.goes_on_here()) {
            return false;
        }
        self.senders.push(runtime);
        true
    }

    pub(super) fn remove_sender(&mut self, runtime: RuntimeId) {
        self.senders.retain(|&sender| sender != runtime);
    }
}

/// A timer for the first deadline of the loader.
pub(super) struct Timer {
    pub(super) id: u64,
    pub(super) time: u64,
    /// Runtime that runs it. Without one, the loads that wait do.
    pub(super) runtime: Option<RuntimeId>,
    /// None while it starts.
    pub(super) job: Option<Arc<Job>>,
}

impl Timer {
    fn has_ended(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.has_ended())
    }

    /// Returns whether the timer goes on while the code goes on that calls this.
    pub(super) fn goes_on_here(&self) -> bool {
        !self.has_ended() && self.runtime.is_none_or(RuntimeId::goes_on_here)
    }
}

/// # Timers
impl<K, V> State<K, V> {
    /// Adds a timer which starts, and forgets those that have ended.
    pub(super) fn add_timer(&mut self, timer: Timer) {
        self.timers.retain(|other| !other.has_ended() && other.runtime != timer.runtime);
        self.timers.push(timer);
    }

    /// Removes a timer.
    pub(super) fn take_timer(&mut self, id: u64) -> Option<Timer> {
        let place = self.timers.iter().position(|timer| timer.id == id)?;
        Some(self.timers.swap_remove(place))
    }

    /// Returns the jobs of the timers.
    pub(super) fn timer_jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.timers.iter().filter_map(|timer| timer.job.as_ref())
    }
}

impl<K: Key, V: Clone + 'static> State<K, V> {
    pub(super) fn new(settings: Settings<K, V, AllThreads>) -> Self {
        let for_machine = settings.for_machine();
        let mut state = Self {
            settings: Arc::new(settings),
            machine: Machine::new(for_machine),
            entries: SlotMap::with_key(),
            table: HashTable::new(),
            slots: SecondaryMap::new(),
            parts: SecondaryMap::new(),
            claims: SecondaryMap::new(),
            granted: Vec::new(),
            in_place: Vec::new(),
            timers: Vec::new(),
            is_timer_lost: false,
            outside: Outside::default(),
            is_timed: false,
            wakers: Wakers::default(),
            effects: Effects::default(),
        };
        state.set(|_| {});
        state
    }

    pub(super) fn set(&mut self, set: impl FnOnce(&mut Settings<K, V, AllThreads>)) {
        let settings = Arc::make_mut(&mut self.settings);
        set(settings);
        let for_machine = settings.for_machine();
        self.is_timed = for_machine.max_delay.is_some()
            || for_machine.hold > 0
            || for_machine.timeout.is_some()
            || for_machine.busy.is_some();
        self.machine.set(for_machine);
    }

    /// Loads a key. Returns also whether a timer, or a part, may have to follow.
    #[inline(always)]
    pub(super) fn load(
        &mut self,
        hash: u64,
        key: K,
        cache: Option<&SharedCache<K, V>>,
    ) -> (Loaded<K>, bool) {
        let Self { machine, entries, parts, slots, is_timed, .. } = self;
        let is_key = |&(other, id): &(u64, EntryId)| {
            other == hash && entries.get(id).is_some_and(|entry| is_pending_key(entry, &key, parts))
        };
        match self.table.entry(hash, is_key, |&(hash, _)| hash) {
            hash_table::Entry::Occupied(mut place) => {
                let id = place.get().1;
                match join(machine, &mut entries[id], parts) {
                    Join::Shared => {
                        if let Some(cache) = cache {
                            entries[id].add_cache(cache);
                        }
                        (Loaded::Entry(id), false)
                    }
                    Join::SelfWait => {
                        let error = LoadError::SelfWait { key: name(&key) };
                        (Loaded::Failed(Arc::new(error)), false)
                    }
                    Join::Gone => {
                        let is_timed = *is_timed && is_load_timed(machine);
                        let id = add(machine, entries, slots, key, cache, is_timed);
                        place.get_mut().1 = id;
                        (Loaded::Entry(id), is_timed)
                    }
                }
            }
            hash_table::Entry::Vacant(place) => {
                let is_timed = *is_timed && is_load_timed(machine);
                let id = add(machine, entries, slots, key, cache, is_timed);
                place.insert((hash, id));
                (Loaded::Entry(id), is_timed)
            }
        }
    }

    /// Returns the slot of a key that is pending.
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<SlotId> {
        let is_key = |&(other, id): &(u64, EntryId)| {
            let entry = || self.entries.get(id);
            other == hash && entry().is_some_and(|entry| is_pending_key(entry, key, &self.parts))
        };
        let &(_, id) = self.table.find(hash, is_key)?;
        Some(self.entries[id].slot)
    }

    /// Adds a load of a cached key.
    pub(super) fn add_cached(&mut self, outcome: Result<V, Arc<LoadError>>) -> EntryId {
        let slot = self.machine.load_cached_apart();
        let entry = Entry::new(slot, KeyPlace::Cached, Outcome::Cached(outcome));
        let id = self.entries.insert(entry);
        self.slots.insert(slot, id);
        id
    }

    /// Returns the status of an entry, if it is pending.
    pub(super) fn status(&self, id: EntryId) -> Option<Status> {
        self.entries.get(id)?.pending
    }

    /// Takes the outcome for one load, if it is there. What is left of an entry that has ended goes to `rest`.
    #[inline(always)]
    pub(super) fn take(
        &mut self,
        id: EntryId,
        rest: &mut Option<Entry<K, V>>,
    ) -> Option<Outcome<V>> {
        let entry = self.entries.get_mut(id)?;
        if entry.pending.is_some() {
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
            *rest = Some(entry);
        }
        Some(outcome)
    }

    /// Registers the waker of a load, which had the wait `before`, if its key is pending.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        id: EntryId,
        before: Option<WaitId>,
        waker: &Waker,
    ) -> Option<Registered> {
        let entry = self.entries.get_mut(id)?;
        let status = entry.pending?;
        let wait = self.wakers.register(&mut entry.waits, before, waker);
        let has_jobs = !self.in_place.is_empty();
        Some(Registered { wait, status, slot: entry.slot, has_jobs })
    }

    /// Forgets the item of a key in the scheduler `host`, which has ended.
    pub(super) fn remove_item(&mut self, id: EntryId, host: HostId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.remove_item(host);
        }
    }

    /// Notes that a load was dropped before it had taken the value.
    pub(super) fn release(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.handles -= 1;
        let slot = entry.slot;
        if entry.pending.is_some() {
            self.machine.cancel(slot);
        } else if entry.handles == 0 {
            self.remove(id);
        }
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        if let Some(mut entry) = self.entries.remove(id) {
            self.wakers.forget(&mut entry.waits);
            self.effects.entries.push(entry);
        }
    }
}

/// Returns the key of an entry, unless its value was cached.
pub(super) fn key_of<'s, K, V>(entry: &'s Entry<K, V>, parts: &'s Parts<K>) -> Option<&'s K> {
    match &entry.key {
        KeyPlace::Here(key) => Some(key),
        KeyPlace::Part(part, index) => parts.get(*part)?.keys.get(*index as usize),
        KeyPlace::Cached => None,
    }
}

fn is_pending_key<K: Eq, V>(entry: &Entry<K, V>, wanted: &K, parts: &Parts<K>) -> bool {
    entry.pending.is_some() && key_of(entry, parts).is_some_and(|key| key == wanted)
}

/// Returns whether the time of a load matters now: it may have to be followed by a timer, or by a part.
#[inline]
fn is_load_timed(machine: &Machine) -> bool {
    machine.unsent() == 0 || machine.is_round_timed() || machine.waiting_parts().next().is_some()
}

/// Shares an entry that is pending.
fn join<K, V>(machine: &mut Machine, entry: &mut Entry<K, V>, parts: &Parts<K>) -> Join {
    let is_asker = |part| parts.get(part).is_some_and(|part| part.flight.is_around_this_code());
    let join = machine.join(entry.slot, is_asker);
    if join == Join::Shared {
        entry.handles += 1;
    }
    join
}

/// Adds the entry of a key that joins the open round.
#[inline(always)]
fn add<K, V>(
    machine: &mut Machine,
    entries: &mut SlotMap<EntryId, Entry<K, V>>,
    slots: &mut SecondaryMap<SlotId, EntryId>,
    key: K,
    cache: Option<&SharedCache<K, V>>,
    is_timed: bool,
) -> EntryId {
    let slot = machine.load(if is_timed { settings::now() } else { 0 });
    let mut entry = Entry::new(slot, KeyPlace::Here(key), Outcome::Pending);
    if let Some(cache) = cache {
        entry.add_cache(cache);
    }
    let id = entries.insert(entry);
    slots.insert(slot, id);
    id
}
