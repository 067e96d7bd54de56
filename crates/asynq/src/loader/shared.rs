//! The shared part of the handles to a loader: the operations on its state, from any thread.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use asynq_loader::{ClaimId, Join, PartId, Settle, SlotId};
use foldhash::fast::RandomState;
use futures_timer::Delay;
use std::hash::BuildHasher;

use super::entry::{EntryId, Outcome};
use super::error::{LoadError, TimeoutError};
use super::fetch::Fetch;
use super::flight::{self, Flight, Flights};
use super::group::{Group, Member};
use super::job::Job;
use super::key::{Key, name};
use super::limits::{self, Claim, Claimer};
use super::runtime::{self, Runtime};
use super::scope::{self, next_id};
use super::scope_cache::{Change, ScopeCache, SharedCache};
use super::settings::Settings;
use super::state::{Effects, State, Status};
use super::stats::Stats;
use super::thread_lock::ThreadLock;
use crate::request::current::{self, Round};
use crate::scheduler::{self, Scheduler};

pub(super) struct Shared<K: Key + Send + Sync, V: Clone + Send + 'static> {
    pub(super) id: u64,
    /// Place where the loader was created.
    pub(super) at: &'static Location<'static>,
    pub(super) fetch: Fetch<K, V>,
    begin: Begin<K, V>,
    state: ThreadLock<State<K, V>>,
    hasher: RandomState,
    start: Instant,
    /// Cache outside of all scopes and requests.
    cache: ThreadLock<Option<SharedCache<K, V>>>,
    /// True once there was a cache.
    caches: AtomicBool,
    caches_requests: AtomicBool,
    itself: Weak<Self>,
}

/// Calls the function for a part that has its permits: see `call::begin`.
type Begin<K, V> = fn(&Arc<Shared<K, V>>, PartId, Option<Claim>, Calls);

/// Result of a load.
pub(super) enum Loaded<K> {
    Entry(EntryId),
    /// Code of users under the lock has called: the key is looked up when it is awaited.
    Later(K),
    Failed(LoadError),
}

/// Place where a function that is not async is called: here, where it holds the thread, or in a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Here,
    InJobs,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    pub(super) fn new(
        fetch: Fetch<K, V>,
        begin: Begin<K, V>,
        at: &'static Location<'static>,
    ) -> Arc<Self> {
        let state = State::new(Settings::new(&format!("loader at {at}")));
        Arc::new_cyclic(|itself| Self {
            id: next_id(),
            at,
            fetch,
            begin,
            state: ThreadLock::new(state),
            hasher: RandomState::default(),
            start: Instant::now(),
            cache: ThreadLock::new(None),
            caches: AtomicBool::new(false),
            caches_requests: AtomicBool::new(false),
            itself: Weak::clone(itself),
        })
    }

    fn this(&self) -> Arc<Self> {
        self.itself.upgrade().unwrap_or_else(|| unreachable!("somebody has called this"))
    }

    /// Returns the time of the state machine, in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        self.time_of(Instant::now())
    }

    pub(super) fn time_of(&self, instant: Instant) -> u64 {
        let time = instant.saturating_duration_since(self.start);
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Looks at the state. Returns `None` if code of users under the lock has called this.
    pub(super) fn read<R>(&self, f: impl FnOnce(&State<K, V>) -> R) -> Option<R> {
        self.state.lock().map(|state| f(&state))
    }

    /// Changes the state, and does what follows from that. Functions that are not async are called by `calls`.
    #[inline]
    pub(super) fn change<R>(
        &self,
        calls: Calls,
        f: impl FnOnce(&mut State<K, V>) -> R,
    ) -> Option<R> {
        let mut state = self.state.lock()?;
        let result = f(&mut state);
        state.perform();
        let timer = if state.is_timed { state.timer_to_set() } else { None };
        if state.effects.is_empty() && timer.is_none() {
            return Some(result);
        }
        let effects = std::mem::take(&mut state.effects);
        drop(state);
        self.finish(effects, timer, calls);
        Some(result)
    }

    #[cold]
    fn finish(&self, effects: Effects<K, V>, timer: Option<u64>, calls: Calls) {
        for part in effects.run() {
            self.start(part, calls);
        }
        if let Some(time) = timer {
            self.set_timer(time);
        }
    }
}

/// # Loads
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    pub(super) fn load(&self, key: K) -> Loaded<K> {
        let cache = self.current_cache();
        if let Some(outcome) = cache.as_ref().and_then(|cache| cache.get(&key)) {
            let added = self.change(Calls::InJobs, |state| state.add_cached(outcome));
            return added.map_or(Loaded::Later(key), Loaded::Entry);
        }
        let hash = self.hasher.hash_one(&key);
        let mut key = Some(key);
        let loaded = self.change(Calls::InJobs, |state| {
            let before = key.as_ref().and_then(|key| state.find(hash, key));
            let join = before.map_or(Join::Gone, |before| state.join(before, cache.as_ref()));
            match (join, before, key.take()) {
                (Join::Shared, Some(before), _) => Loaded::Entry(before),
                (Join::SelfWait, _, Some(key)) => {
                    Loaded::Failed(LoadError::SelfWait { key: name(&key) })
                }
                (_, before, Some(key)) => {
                    let needs_time =
                        state.machine.settings().max_delay.is_some() || state.machine.unsent() == 0;
                    let now = if state.is_timed && needs_time { self.now() } else { 0 };
                    Loaded::Entry(state.add(hash, key, before, cache.as_ref(), now))
                }
                (_, _, None) => unreachable!("the key is taken once"),
            }
        });
        match (loaded, key) {
            (Some(loaded), _) => loaded,
            (None, Some(key)) => Loaded::Later(key),
            (None, None) => unreachable!("the state was not changed"),
        }
    }

    /// Takes the outcome of a key for one load, if it is there.
    #[inline]
    pub(super) fn take(&self, entry: EntryId) -> Option<Outcome<V>> {
        self.change(Calls::InJobs, |state| state.take(entry)).flatten()
    }

    pub(super) fn is_resolved(&self, entry: EntryId) -> bool {
        let is_resolved = |state: &State<K, V>| {
            state.entries.get(entry).is_none_or(|entry| !entry.outcome.is_pending())
        };
        self.read(is_resolved).unwrap_or(false)
    }

    /// Returns which of some keys are pending.
    pub(super) fn are_pending(&self, entries: &[EntryId]) -> Vec<bool> {
        let are_pending = |state: &State<K, V>| {
            entries.iter().map(|&entry| state.status(entry).is_some()).collect()
        };
        self.read(are_pending).unwrap_or_default()
    }

    /// Returns the status of a key, if it is pending.
    pub(super) fn status(&self, entry: EntryId) -> Option<Status> {
        self.read(|state| state.status(entry)).flatten()
    }

    /// Registers the waker of a load that had this place before, if its key is pending. Returns its place, and the
    /// status of the key.
    pub(super) fn register(
        &self,
        entry: EntryId,
        place: Option<usize>,
        waker: &Waker,
    ) -> Option<(usize, Status)> {
        let register = |state: &mut State<K, V>| {
            let status = state.status(entry)?;
            Some((state.entries.get_mut(entry)?.waiters.register(place, waker), status))
        };
        self.change(Calls::InJobs, register).flatten()
    }

    pub(super) fn release(&self, entry: EntryId) {
        self.change(Calls::InJobs, |state| {
            state.release(entry);
            state.perform();
            state.sweep();
        });
    }

    /// Polls the jobs that a load waits for: those that no runtime polls, or all of them. Returns whether any of
    /// them has ended.
    pub(super) fn poll_jobs(&self, waker: &Waker, all: bool) -> bool {
        let jobs = self.change(Calls::InJobs, |state| {
            state.in_place.retain(|job| !job.has_ended());
            let mut jobs = state.in_place.clone();
            if all {
                let calls = state.parts.values().filter_map(|part| part.job.as_ref());
                let timer = state.timer.iter().filter_map(|(_, job)| job.as_ref());
                jobs.extend(calls.chain(timer).filter(|job| job.is_spawned()).cloned());
            }
            jobs
        });
        let jobs = jobs.unwrap_or_default();
        jobs.into_iter().fold(false, |ended, job| job.poll(waker) | ended)
    }

    /// Returns the claim of the part that a key waits for, if that waits for permits.
    fn waiting_claim(&self, entry: EntryId) -> Option<ClaimId> {
        let claim = |state: &State<K, V>| {
            if !matches!(state.status(entry)?, Status::Unsent) {
                return None;
            }
            let part = state.machine.waiting_parts().next()?;
            Some(state.claims.get(&part)?.id())
        };
        self.read(claim).flatten()
    }

    /// Returns whether other threads make a call or timer of the loader go on.
    pub(super) fn runs_elsewhere(&self) -> bool {
        let runs_elsewhere = |state: &State<K, V>| {
            let calls = state.parts.values().filter_map(|part| part.job.as_ref());
            let timer = state.timer.iter().filter_map(|(_, job)| job.as_ref());
            calls.chain(timer).any(|job| job.runs_elsewhere())
        };
        self.read(runs_elsewhere).unwrap_or(false)
    }

    /// Returns the error of a load inside a batch function that would wait for ever. Otherwise, notes the wait.
    pub(super) fn wait_inside(&self, entry: EntryId) -> Option<LoadError> {
        if !flight::is_inside() {
            return None;
        }
        if let Some(flight) = self.flight_of(entry)
            && flight::would_wait_in_a_circle(&flight)
        {
            let key = self.read(|state| state.key_name(entry)).unwrap_or_default();
            return Some(LoadError::Circle { key });
        }
        let itself: Weak<dyn Flights> = Weak::clone(&self.itself) as Weak<dyn Flights>;
        if let Some(lender) = flight::note_wait(&itself, entry) {
            self.change(Calls::InJobs, |state| state.add_lender(entry, lender));
            if let Some(borrower) = self.waiting_claim(entry) {
                limits::lend(lender, borrower);
            }
        }
        None
    }
}

/// # Sending
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    /// Sends the open round, as a scheduler which knows that nothing else can run.
    pub(super) fn send_now(&self) {
        let now = self.now();
        self.change(Calls::Here, |state| match state.machine.round_deadline() {
            Some(deadline) if deadline <= now => state.machine.round_late(now),
            _ => state.machine.round_ready(now),
        });
    }

    /// Resolves cached keys, with the keys of the open round if the same step waits for these.
    pub(super) fn resolve_cached(&self, slots: Vec<SlotId>, with_round: bool) {
        self.change(Calls::Here, |state| state.machine.cached_slots_ready(slots, with_round));
    }

    /// Makes somebody send the round for a load that is polled outside of requests and tasks. `count` is that of the
    /// load. Returns whether the load is to be polled again, when everything else has run.
    pub(super) fn send_outside(&self, cached: Option<SlotId>, count: &mut Settle) -> bool {
        if Runtime::current().is_none() {
            return self.send_in_place(cached, count);
        }
        let starts = self.change(Calls::InJobs, |state| {
            let outside = &mut state.outside;
            outside.has_keys |= cached.is_none();
            outside.cached.extend(cached);
            !std::mem::replace(&mut outside.has_sender, true)
        });
        if starts == Some(true) {
            Job::start(send_when_settled(Sender(self.this())));
        }
        false
    }

    /// Sends the round for a load that no runtime could send it for.
    fn send_in_place(&self, cached: Option<SlotId>, count: &mut Settle) -> bool {
        let now = self.now();
        let settled = self.change(Calls::Here, |state| {
            if let Some(slot) = cached {
                // It waits for the round that is open in its step.
                let with_round = state.machine.unsent() > 0;
                state.machine.cached_slots_ready(vec![slot], with_round);
                return true;
            }
            let settled = state.machine.turn(count);
            if settled {
                state.machine.round_settled(now);
            }
            settled
        });
        settled == Some(false)
    }
}

/// The duty to send the round for loads outside of requests.
struct Sender<K: Key + Send + Sync, V: Clone + Send + 'static>(Arc<Shared<K, V>>);

async fn send_when_settled<K, V>(sender: Sender<K, V>)
where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    let shared = &sender.0;
    let mut count = Settle::default();
    while shared.read(|state| state.machine.turn(&mut count)) == Some(false) {
        runtime::turn().await;
    }
    let now = shared.now();
    shared.change(Calls::Here, |state| {
        let outside = std::mem::take(&mut state.outside);
        state.machine.cached_slots_ready(outside.cached, outside.has_keys);
        if outside.has_keys {
            state.machine.round_settled(now);
        }
    });
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Drop for Sender<K, V> {
    /// Lets another load send the round, if the runtime has ended before.
    fn drop(&mut self) {
        self.0.change(Calls::InJobs, |state| {
            if state.outside.has_sender
                && (state.outside.has_keys || !state.outside.cached.is_empty())
            {
                state.outside.has_sender = false;
                state.wake_all();
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Round for Shared<K, V> {
    fn turn(&self, count: &mut Settle) -> bool {
        self.read(|state| state.machine.turn(count)).unwrap_or(true)
    }

    fn send(self: Arc<Self>, has_keys: bool, cached: Vec<SlotId>) {
        let now = self.now();
        self.change(Calls::Here, |state| {
            if !cached.is_empty() {
                state.machine.cached_slots_ready(cached, has_keys);
            }
            if has_keys {
                state.machine.round_settled(now);
            }
        });
    }
}

/// # Parts
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    /// Starts a part, once it has its permits.
    fn start(&self, part: PartId, calls: Calls) {
        let is_async = self.fetch.is_async();
        let limits = self.read(|state| state.settings.limits(is_async)).unwrap_or_default();
        if limits.is_empty() {
            return (self.begin)(&self.this(), part, None, calls);
        }
        let claim = Claim::new(limits, self.this(), part);
        let borrower = claim.id();
        let mut claim = Some(claim);
        let lenders = self.change(Calls::InJobs, |state| {
            if state.granted.contains(&part) {
                return Vec::new();
            }
            state.claims.extend(claim.take().map(|claim| (part, claim)));
            state.lenders()
        });
        if let Some(claim) = claim {
            // Another thread was told before this one had kept the claim.
            self.change(Calls::InJobs, |state| state.granted.retain(|&other| other != part));
            return (self.begin)(&self.this(), part, Some(claim), Calls::InJobs);
        }
        limits::grant();
        for lender in lenders.unwrap_or_default() {
            limits::lend(lender, borrower);
        }
    }

    fn set_timer(&self, time: u64) {
        let wait = Duration::from_nanos(time.saturating_sub(self.now()));
        let itself = Weak::clone(&self.itself);
        let is_new = self.change_timer(time);
        if !is_new {
            return;
        }
        let job = Job::start(async move {
            Delay::new(wait).await;
            if let Some(shared) = itself.upgrade() {
                shared.tick(time);
            }
        });
        self.add_job(&job, State::wake_all);
        self.change(Calls::InJobs, |state| {
            if let Some((set, place)) = &mut state.timer
                && *set == time
            {
                *place = Some(job);
            }
        });
    }

    fn change_timer(&self, time: u64) -> bool {
        let Some(mut state) = self.state.lock() else { return false };
        let is_new = state.timer.as_ref().is_none_or(|(set, _)| *set > time);
        if is_new {
            state.timer = Some((time, None));
        }
        is_new
    }

    fn tick(&self, time: u64) {
        let now = self.now();
        let late = self.change(Calls::InJobs, |state| {
            if state.timer.as_ref().is_some_and(|(set, _)| *set == time) {
                state.timer = None;
            }
            state.tick(now);
            state.perform();
            state.sweep();
            let timeout = state.settings.timeout.unwrap_or_default();
            let late = state.effects.cancelled.iter();
            let late: Vec<_> = late.map(|part| Arc::clone(&part.keys)).collect();
            (late, timeout, Arc::clone(&state.settings))
        });
        if let Some((late, timeout, settings)) = late {
            for keys in late {
                settings.call_after_hooks(&keys, timeout, Some(&TimeoutError { after: timeout }));
            }
        }
    }

    /// Keeps a job that no runtime polls, and lets `f` wake the loads that have to poll it.
    pub(super) fn add_job(&self, job: &Arc<Job>, f: impl FnOnce(&mut State<K, V>)) {
        if job.has_ended() {
            return;
        }
        self.change(Calls::InJobs, |state| {
            if !job.is_spawned() {
                state.in_place.push(Arc::clone(job));
                f(state);
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Claimer for Shared<K, V> {
    fn granted(self: Arc<Self>, part: PartId) {
        let claim = self
            .change(Calls::InJobs, |state| {
                let claim = state.claims.remove(&part);
                if claim.is_none() {
                    state.granted.push(part);
                }
                claim
            })
            .flatten();
        if let Some(claim) = claim {
            (self.begin)(&self, part, Some(claim), Calls::InJobs);
        }
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Flights for Shared<K, V> {
    fn flight_of(&self, entry: EntryId) -> Option<Arc<Flight>> {
        let flight = |state: &State<K, V>| {
            let slot = state.entries.get(entry)?.slot;
            let part = state.machine.part_of(slot)?;
            Some(Arc::clone(&state.parts.get(&part)?.flight))
        };
        self.read(flight).flatten()
    }
}

/// # Settings and caches
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    pub(super) fn set(&self, set: impl FnOnce(&mut Settings<K, V>)) {
        self.change(Calls::InJobs, |state| state.set(set));
    }

    pub(super) fn settings(&self) -> Option<Arc<Settings<K, V>>> {
        self.read(|state| Arc::clone(&state.settings))
    }

    pub(super) fn max_delay(&self) -> Option<Duration> {
        self.settings()?.max_delay
    }

    pub(super) fn name(&self) -> String {
        self.settings().map(|settings| settings.name.to_string()).unwrap_or_default()
    }

    pub(super) fn stats(&self) -> Stats {
        let stats = self.read(|state| state.machine.stats()).unwrap_or_default();
        let asynq_loader::Stats { batches, keys, largest, hits, time } = stats;
        Stats { batches, keys, hits, largest, time: Duration::from_nanos(time) }
    }

    pub(super) fn set_cache(&self, cache: SharedCache<K, V>) {
        let before = self.cache.lock().and_then(|mut place| place.replace(cache));
        drop(before);
        self.caches.store(true, Ordering::Release);
    }

    /// Lets loads look for caches: there may be scopes.
    pub(super) fn enable_scopes(&self) {
        self.caches.store(true, Ordering::Release);
    }

    pub(super) fn cache_requests(&self) {
        self.caches_requests.store(true, Ordering::Release);
        self.caches.store(true, Ordering::Release);
    }

    pub(super) fn open_scope(&self) -> scope::Scope {
        self.caches.store(true, Ordering::Release);
        scope::Scope::new(self.id)
    }

    /// Returns the cache of the innermost scope, of the request, or of the loader.
    #[inline]
    pub(super) fn current_cache(&self) -> Option<SharedCache<K, V>> {
        if self.caches.load(Ordering::Acquire) { self.find_cache() } else { None }
    }

    fn find_cache(&self) -> Option<SharedCache<K, V>> {
        // Another branch of the task may have been left inside a context of its own.
        scheduler::try_with(Scheduler::switch_to_branch);
        let new = || ScopeCache::new(HashMap::new());
        let group = self.settings().and_then(|settings| settings.group.as_ref().map(Group::id));
        if let Some(caches) = scope::caches(self.id, group) {
            return Some(caches.get(self.id, new));
        }
        if self.caches_requests.load(Ordering::Acquire)
            && let Some(shelf) = current::shelf()
        {
            return Some(shelf.get(self.id, new));
        }
        self.cache.lock()?.clone()
    }

    /// Returns whether the error of a key is cached.
    pub(super) fn caches_error(&self, settings: &Settings<K, V>, error: &LoadError) -> bool {
        let caches = self.caches.load(Ordering::Acquire);
        settings.caches_error.as_ref().is_some_and(|caches_error| caches && caches_error(error))
    }

    /// Detaches the pending value of a key, which may be older than what happens now.
    pub(super) fn detach(&self, key: &K) {
        let hash = self.hasher.hash_one(key);
        self.change(Calls::InJobs, |state| {
            if let Some(slot) = state.find(hash, key).map(|id| state.entries[id].slot) {
                state.machine.clear(slot);
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Member for Shared<K, V> {
    fn clear_all(&self) {
        self.change(Calls::InJobs, |state| state.machine.clear_all());
        if let Some(cache) = self.current_cache() {
            cache.change(Change::Clear);
        }
    }
}
