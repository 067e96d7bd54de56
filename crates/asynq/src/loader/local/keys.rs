//! The batch type of a loader, and the state that the batches share with it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use asynq_engine::TaskId;
use asynq_loader::{Loader as Machine, Output, PartId, SlotId};
use foldhash::fast::RandomState;
use slotmap::{Key as _, SecondaryMap};

use super::fetch::Fetch;
use super::flight::Flight;
use super::request::{CachedLoad, Caches, LocalCache, Request};
use super::slot_table::SlotTable;
use crate::batch::{BatchItem, Source};
use crate::call_stack::Creator;
use crate::clock;
use crate::context::ScopedValue;
use crate::loader::error::{LoadError, TimeoutError};
use crate::loader::failure::Failure;
use crate::loader::key::{Key, name};
use crate::loader::scope_cache::Change;
use crate::loader::settings::{self, Settings};
use crate::loader::spare::is_too_large;
use crate::loader::stats::Stats;
use crate::loader::threads::{LocalWait, OneThread};
use crate::scheduler::{self, Scheduler, woken_by_thread};
use crate::task::{Promise, WeakTask};

/// The [`Batch`](crate::Batch) of a [`LocalLoader`](super::LocalLoader).
pub struct LocalKeys<K: Key, V: Clone + 'static> {
    pub(super) shared: Rc<Shared<K, V>>,
    /// For the loads of cached keys: the source of the others.
    pub(super) round: Option<Source<Self>>,
}

/// Future of the value of one key, or of a [`BatchError`](crate::BatchError).
pub type LocalLoad<K, V> = BatchItem<LocalKeys<K, V>>;

/// Key of an item.
#[derive(Debug)]
pub enum KeyRequest<K> {
    /// A key that was not looked up yet.
    New(K),
    /// The slot of a key.
    Slot(SlotId),
}

type Requests<K, V> = SecondaryMap<SlotId, Request<K, LocalKeys<K, V>>>;
type CachedLoads<K, V> = HashMap<SlotId, CachedLoad<LocalKeys<K, V>>, RandomState>;

/// State that a loader shares with its batches. Nothing is borrowed while code of users runs.
pub(in crate::loader) struct Shared<K: Key, V: Clone + 'static> {
    pub(super) fetch: Fetch<K, V>,
    /// Place where the loader was created.
    pub(super) at: &'static Location<'static>,
    pub(super) settings: RefCell<Settings<K, V, OneThread>>,
    pub(super) cache: ScopedValue<Option<LocalCache<K, V>>>,
    /// True once there was a cache.
    pub(super) caches: Cell<bool>,
    pub(super) machine: RefCell<Machine>,
    /// Loads of the open batch were not looked up yet.
    pub(super) has_deferred: Cell<bool>,
    /// The time at which a key is loaded matters to the machine.
    pub(super) is_timed: Cell<bool>,
    /// Parts that claim permits, and were not started yet.
    claiming: RefCell<Vec<PartId>>,
    pub(super) table: SlotTable<K>,
    /// The way of values to and from files, if answers can be recorded.
    #[cfg(feature = "explain")]
    pub(super) codec: std::cell::OnceCell<crate::recording::answers::Codec<V>>,
    pub(super) requests: RefCell<Requests<K, V>>,
    /// Caches for the values of slots, if there are any.
    pub(super) caches_of: RefCell<HashMap<SlotId, Caches<K, V>, RandomState>>,
    pub(super) cached_loads: RefCell<CachedLoads<K, V>>,
    /// Flushes of cached keys by their numbers, each with the number of keys that it waits for.
    pub(super) cached_flushes: RefCell<HashMap<u64, (usize, Promise<()>), RandomState>>,
    pub(super) last_cached_flush: Cell<u64>,
    pub(super) tasks: RefCell<HashMap<PartId, PartTask, RandomState>>,
    /// Task that sends the round when it has been held long enough.
    pub(super) holding: RefCell<Option<Holding>>,
    /// Part whose function is being called.
    pub(super) calling: Cell<Option<PartId>>,
}

/// Task of a part whose function is async.
pub(super) struct PartTask {
    pub(super) task: WeakTask<()>,
    pub(super) id: TaskId,
    pub(super) creator: Rc<Creator>,
    pub(super) flight: Weak<Flight>,
}

/// Wait of a batch function that would not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndlessWait {
    /// It loads a key that it was called for.
    ForItself,
    /// It loads a key of a part that waits for it.
    Circle,
}

/// Task that waits while a round is held.
pub(super) struct Holding {
    pub(super) task: WeakTask<()>,
    pub(super) id: TaskId,
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    pub(super) fn new(fetch: Fetch<K, V>, at: &'static Location<'static>) -> Self {
        let settings = Settings::new(fetch.site, at);
        let machine = Machine::new(settings.for_machine());
        Self {
            fetch,
            at,
            settings: RefCell::new(settings),
            cache: ScopedValue::new(None),
            caches: Cell::new(false),
            machine: RefCell::new(machine),
            has_deferred: Cell::new(false),
            is_timed: Cell::new(false),
            claiming: RefCell::default(),
            table: SlotTable::new(),
            #[cfg(feature = "explain")]
            codec: std::cell::OnceCell::new(),
            requests: RefCell::default(),
            caches_of: RefCell::default(),
            cached_loads: RefCell::default(),
            cached_flushes: RefCell::default(),
            last_cached_flush: Cell::new(0),
            tasks: RefCell::default(),
            holding: RefCell::default(),
            calling: Cell::new(None),
        }
    }

    /// Returns a wait until a time of the state machine. A call that blocks the thread is woken by another one.
    pub(super) fn wait_until(&self, time: u64) -> LocalWait {
        let time = Duration::from_nanos(time.saturating_sub(settings::now()));
        let timer = self.settings.borrow().timer.clone();
        if let Some(timer) = timer {
            return timer(time);
        }
        let is_blocked = scheduler::with(Scheduler::blocks_thread);
        let by_runtime = if is_blocked { None } else { clock::wait_in_runtime(time) };
        match by_runtime {
            Some(wait) => wait,
            None => Box::pin(woken_by_thread(clock::wait_by_thread(time))),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let stats = self.machine.borrow().stats();
        let asynq_loader::Stats { batches, keys, largest, hits, time } = stats;
        Stats { batches, keys, hits, largest, time: Duration::from_nanos(time) }
    }

    #[inline]
    pub(in crate::loader) fn current_cache(&self) -> Option<LocalCache<K, V>> {
        if self.caches.get() { self.cache.get() } else { None }
    }

    /// Returns the reason why a wait for a part would not end, if a batch function is calling this.
    pub(super) fn endless_wait(&self, part: PartId) -> Option<EndlessWait> {
        if self.calling.get() == Some(part) {
            return Some(EndlessWait::ForItself);
        }
        let tasks = self.tasks.borrow();
        let task = tasks.get(&part)?;
        let caller = scheduler::with(Scheduler::creator)?;
        if caller.is_within(&task.creator) {
            return Some(EndlessWait::ForItself);
        }
        if !caller.is_within_batch_function() {
            return None;
        }
        let waits_for_caller = |scheduler: &Scheduler| {
            let engine = scheduler.engine();
            let running = engine.running()?;
            engine.find_awaited(task.id, |awaited| awaited == running)
        };
        scheduler::with(waits_for_caller).map(|_| EndlessWait::Circle)
    }

    /// Removes the request of a slot that has ended.
    pub(super) fn take_request(&self, slot: SlotId) -> Option<Request<K, LocalKeys<K, V>>> {
        if self.caches.get() {
            let caches = self.caches_of.borrow_mut().remove(&slot);
            drop(caches);
        }
        self.requests.borrow_mut().remove(slot)
    }

    /// Gives a slot its value or error, and the caches if `is_cached`. `key` is the key of the slot.
    pub(super) fn resolve(
        &self,
        slot: SlotId,
        key: &K,
        outcome: Result<V, LoadError>,
        is_cached: bool,
    ) {
        let request = self.requests.borrow_mut().remove(slot);
        let Some(request) = request else { return };
        if !self.caches.get() {
            return request.item.set_outcome(outcome);
        }
        // The load gets its value although a clone of it or of the key panics.
        let add = AssertUnwindSafe(|| self.cache_outcome(slot, key, &outcome, is_cached));
        let added = catch_unwind(add);
        request.item.set_outcome(outcome);
        added.unwrap_or_else(|payload| resume_unwind(payload));
    }

    /// Returns whether the error of a key is cached.
    pub(super) fn caches_error(&self, error: &LoadError) -> bool {
        let predicate = self.settings.borrow().caches_error.clone();
        predicate.is_some_and(|caches_error| self.caches.get() && caches_error(error))
    }

    /// Adds a value or error to the caches of the scopes that have loaded its key.
    fn cache_outcome(
        &self,
        slot: SlotId,
        key: &K,
        outcome: &Result<V, LoadError>,
        is_cached: bool,
    ) {
        let caches = self.caches_of.borrow_mut().remove(&slot);
        let Some(caches) = caches else { return };
        if is_cached {
            for cache in caches.as_slice() {
                cache.change(Change::Insert(key.clone(), outcome.clone()));
            }
        }
    }

    /// Adds a cache to those for the value of a slot.
    pub(super) fn add_cache(&self, slot: SlotId, cache: &LocalCache<K, V>) {
        let mut caches = self.caches_of.borrow_mut();
        caches.entry(slot).or_insert(Caches::None).add(Arc::clone(cache));
    }

    /// Fails a slot of a part with these keys. The error is not cached, since the key has not caused
    /// it.
    pub(super) fn fail(&self, slot: SlotId, keys: &[K], failure: &Failure) {
        let Some(request) = self.take_request(slot) else { return };
        match failure {
            Failure::Panic(panic) => request.item.set_panic(panic.clone()),
            Failure::Error(error) => {
                let Some(key) = request.key(keys) else { return };
                let error = LoadError::Failed { key: name(key), error: Arc::clone(error) };
                request.item.set_outcome(Err::<V, _>(error));
            }
        }
    }

    /// Performs the outputs of the state machine, apart from claims.
    pub(super) fn perform(&self) {
        self.perform_late(&[]);
    }

    /// Performs the outputs after keys of a part with these keys were late.
    fn perform_late(&self, keys: &[K]) {
        while let Some(output) = self.next_output() {
            match output {
                Output::Claim(part) => self.claiming.borrow_mut().push(part),
                Output::Cancel(part) => self.cancel(part),
                Output::Resolve(slot) => self.resolve_cached(slot),
                Output::Forget(slot) => self.forget(slot),
                Output::Late(slot) => self.fail_late(slot, keys),
            }
        }
    }

    /// Returns whether parts claim permits.
    pub(super) fn has_claims(&self) -> bool {
        !self.claiming.borrow().is_empty()
    }

    /// Returns the parts that claim permits since the last call.
    pub(super) fn take_claims(&self) -> Vec<PartId> {
        self.claiming.take()
    }

    /// Fails the keys of a part that are late at `time`. `keys` are its keys, if it was sent.
    pub(super) fn late(&self, part: PartId, time: u64, keys: &[K]) {
        self.machine.borrow_mut().late(part, time);
        self.perform_late(keys);
    }

    #[inline]
    fn next_output(&self) -> Option<Output> {
        self.machine.borrow_mut().next_output()
    }

    /// Ends a part that nobody waits for.
    fn cancel(&self, part: PartId) {
        let task = self.tasks.borrow_mut().remove(&part);
        if let Some(flight) = task.and_then(|task| task.flight.upgrade()) {
            flight.cancel();
        }
    }

    /// Forgets a slot that nobody waits for.
    fn forget(&self, slot: SlotId) {
        drop(self.take_request(slot));
        self.resolve_cached(slot);
    }

    fn resolve_cached(&self, slot: SlotId) {
        let load = self.cached_loads.borrow_mut().remove(&slot);
        let Some(load) = load else { return };
        load.item.set_outcome(load.outcome);
        if let Some(flush) = load.flush {
            self.count_down(flush);
        }
    }

    /// Counts one key less that a flush of cached keys waits for.
    fn count_down(&self, flush: u64) {
        let promise = {
            let mut flushes = self.cached_flushes.borrow_mut();
            let Some((pending, _)) = flushes.get_mut(&flush) else { return };
            *pending -= 1;
            if *pending > 0 {
                return;
            }
            flushes.remove(&flush)
        };
        if let Some((_, promise)) = promise {
            promise.set_value(());
        }
    }

    fn fail_late(&self, slot: SlotId, keys: &[K]) {
        let Some(request) = self.take_request(slot) else { return };
        let Some(after) = self.settings.borrow().timeout else { return };
        let Some(key) = request.key(keys) else { return };
        let error = LoadError::Failed { key: name(key), error: Arc::new(TimeoutError { after }) };
        request.item.set_outcome(Err::<V, _>(error));
    }

    /// Notes that a load was dropped before it had its value.
    pub(super) fn abandon(&self, slot: SlotId) {
        self.machine.borrow_mut().cancel(slot);
        self.perform();
        self.sweep();
    }

    /// Ends a slot whose batch was cancelled.
    pub(super) fn withdraw(&self, slot: SlotId) {
        self.machine.borrow_mut().withdraw(slot);
        self.forget(slot);
        self.perform();
        self.sweep();
    }

    /// Gives back the memory of keys that have ended, if these are most of the keys.
    pub(super) fn sweep(&self) {
        let (pending, keys) = (self.machine.borrow().pending(), self.table.len());
        if keys == 0 || (pending > 0 && keys < 2 * pending + 16) {
            return;
        }
        if pending > 0 {
            return self.table.retain(|slot| self.machine.borrow().is_pending(slot));
        }
        let unused = {
            let mut requests = self.requests.borrow_mut();
            is_too_large(requests.capacity(), keys).then(|| std::mem::take(&mut *requests))
        };
        drop(unused);
        self.table.clear();
    }
}

impl<K> KeyRequest<K> {
    /// Creates the key of an item that has its error already, or that nobody waits for.
    pub(super) fn ended() -> Self {
        Self::Slot(SlotId::null())
    }

    /// Returns the slot of the key, if it was looked up.
    pub(super) fn slot(&self) -> SlotId {
        match self {
            Self::New(_) => SlotId::null(),
            Self::Slot(slot) => *slot,
        }
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for LocalKeys<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKeys({})", self.shared.settings.borrow().name)
    }
}
