//! The keys of a loader, as its loads use them: looked up, taken, released, detached.

use std::hash::BuildHasher;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::Waker;

use super::caches::SharedCache;
use super::entry::{Outcome, Status};
use super::error::LoadError;
use super::flight::{self, Awaited, Flights};
use super::group::{Group, Member};
use super::id::EntryId;
use super::key::Key;
use super::limits;
use super::scope_cache::Change;
use super::shared::{Calls, Shared};
use super::state::{Loaded, Registered, State};
use super::wakers::WaitId;
use crate::recording::{self, Asked, Origin};

/// # Loads
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    #[inline]
    #[cfg_attr(feature = "explain", track_caller)]
    pub(super) fn load(&self, key: K) -> Loaded<K> {
        if recording::is_on() { self.load_recorded(key) } else { self.look_up(key) }
    }

    #[cold]
    #[cfg_attr(feature = "explain", track_caller)]
    fn load_recorded(&self, key: K) -> Loaded<K> {
        let asked = Asked::key(Location::caller(), &key);
        let loaded = self.look_up(key);
        if let Loaded::Entry(entry) = loaded {
            let origin = |state: &mut State<K, V>| match state.status(entry) {
                None => Origin::Answered,
                Some(Status::Cached) => Origin::Cached,
                Some(Status::Unsent | Status::Sent) => match state.entries.get(entry) {
                    Some(entry) if entry.handles > 1 => {
                        Origin::Shared(state.machine.part_of(entry.slot))
                    }
                    _ => Origin::New,
                },
            };
            let origin = self.with(origin).unwrap_or(Origin::New);
            recording::loaded((self.id, entry), || self.name(), self.at, asked, origin);
        }
        loaded
    }

    #[inline(always)]
    fn look_up(&self, key: K) -> Loaded<K> {
        let cache = self.current_cache();
        if let Some(outcome) = cache.as_ref().and_then(|cache| cache.get(&key)) {
            let outcome = outcome.map_err(Arc::new);
            let added = self.change(Calls::InJobs, |state| state.add_cached(outcome));
            return added.map_or(Loaded::Later(key), Loaded::Entry);
        }
        let hash = self.hasher.hash_one(&key);
        let Some(mut state) = self.lock() else { return Loaded::Later(key) };
        let (loaded, is_timed) = state.load(hash, key, cache.as_ref());
        if is_timed {
            self.follow(state, Calls::InJobs);
        }
        loaded
    }

    /// Refuses to wait for a key that cannot be looked up.
    pub(super) fn refuse_wait(&self) -> ! {
        // Its name is behind the lock.
        panic!(
            "the loader at {}: code that hashes, compares or clones its keys and values waits for the loader",
            self.at
        )
    }

    /// Takes the outcome of a key for one load, if it is there.
    #[inline(always)]
    pub(super) fn take(&self, entry: EntryId) -> Option<Outcome<V>> {
        // Dropped without the lock.
        let mut rest = None;
        self.with(|state| state.take(entry, &mut rest)).flatten()
    }

    pub(super) fn is_resolved(&self, entry: EntryId) -> bool {
        self.with(|state| state.status(entry).is_none()).unwrap_or(false)
    }

    pub(super) fn are_resolved(&self, entries: &[EntryId]) -> bool {
        let is_resolved = |state: &State<K, V>, entry| state.status(entry).is_none();
        let are_resolved =
            |state: &mut State<K, V>| entries.iter().all(|&entry| is_resolved(state, entry));
        self.with(are_resolved).unwrap_or(false)
    }

    /// Registers the waker of a load that had the wait `before`, if its key is pending.
    #[inline(always)]
    pub(super) fn register(
        &self,
        entry: EntryId,
        before: Option<WaitId>,
        waker: &Waker,
    ) -> Option<Registered> {
        let mut state = self.lock()?;
        let registered = state.register(entry, before, waker);
        // The runtime in which a batch was sent may stand still, and with it the timer.
        let joins = before.is_none() && state.is_timed;
        let joins = joins && registered.as_ref().is_some_and(|one| one.status == Status::Sent);
        if state.is_timer_lost || joins {
            state.is_timer_lost = false;
            self.follow(state, Calls::InJobs);
        }
        registered
    }

    pub(super) fn release(&self, entry: EntryId) {
        self.change(Calls::InJobs, |state| {
            state.release(entry);
            state.perform();
            state.sweep();
        });
    }

    /// Returns the error of a load inside a batch function that would wait for ever. Otherwise, notes the wait.
    #[inline(always)]
    pub(super) fn wait_inside(&self, entry: EntryId) -> Option<LoadError> {
        if flight::is_inside() && !self.is_resolved(entry) {
            self.wait_inside_call(entry)
        } else {
            None
        }
    }

    fn wait_inside_call(&self, entry: EntryId) -> Option<LoadError> {
        if let Some(Awaited::Call(flight)) = self.awaited_by(entry)
            && flight::would_wait_in_a_circle(&flight)
        {
            let key = self.with(|state| state.key_name(entry)).unwrap_or_default();
            return Some(LoadError::Circle { key });
        }
        let itself: Weak<dyn Flights> = self.downgrade();
        flight::note_wait(&itself, entry);
        limits::lend();
        None
    }

    /// Detaches the pending value of a key, which may be older than what happens now.
    pub(super) fn detach(&self, key: &K) {
        let hash = self.hasher.hash_one(key);
        self.change(Calls::InJobs, |state| {
            if let Some(slot) = state.find(hash, key) {
                state.machine.clear(slot);
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Flights for Shared<K, V> {
    fn awaited_by(&self, entry: EntryId) -> Option<Awaited> {
        let awaited = |state: &mut State<K, V>| match state.status(entry)? {
            Status::Sent => {
                let part = state.machine.part_of(state.entries.get(entry)?.slot)?;
                Some(Awaited::Call(Arc::clone(&state.parts.get(part)?.flight)))
            }
            // The first part takes the first keys, and the next ones follow it.
            Status::Unsent => {
                let part = state.machine.waiting_parts().next()?;
                Some(Awaited::Permit(state.claims.get(part)?.id()))
            }
            Status::Cached => None,
        };
        self.with(awaited).flatten()
    }

    fn is_pending(&self, entry: EntryId) -> bool {
        !self.is_resolved(entry)
    }
}

/// # Caches
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    /// Returns the cache of the innermost scope, of the request, or of the loader.
    #[inline]
    pub(super) fn current_cache(&self) -> Option<SharedCache<K, V>> {
        if self.caches.are_used() { self.find_cache() } else { None }
    }

    fn find_cache(&self) -> Option<SharedCache<K, V>> {
        let group = self.settings().and_then(|settings| settings.group.as_ref().map(Group::id));
        self.caches.find(self.id, group)
    }

    /// Detaches all pending values, and clears the current cache.
    pub(super) fn clear_all(&self) {
        self.change(Calls::InJobs, |state| state.machine.clear_all());
        if let Some(cache) = self.current_cache() {
            cache.change(Change::Clear);
        }
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Member for Shared<K, V> {
    fn clear_all(&self) {
        Shared::clear_all(self);
    }
}
