//! The part of a loader that its handles share: the state behind its lock, and the clock.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use asynq_loader::PartId;
use foldhash::fast::RandomState;

use super::caches::Caches;
pub(super) use super::calls::Calls;
use super::effects::Effects;
use super::fetch::Fetch;
use super::key::Key;
use super::limits::Claim;
use super::scope::next_id;
use super::settings::Settings;
use super::state::State;
use super::stats::Stats;
use super::thread_lock::{Locked, ThreadLock};
use super::threads::AllThreads;
use super::waking::{self, Waking};
#[cfg(feature = "explain")]
use crate::recording::answers::Codec;

pub(super) struct Shared<K: Key + Send + Sync, V: Clone + Send + 'static> {
    pub(super) id: u64,
    /// Place where the loader was created.
    pub(super) at: &'static Location<'static>,
    pub(super) fetch: Fetch<K, V>,
    pub(super) begin: Begin<K, V>,
    state: ThreadLock<State<K, V>>,
    pub(super) waking: Waking,
    pub(super) hasher: RandomState,
    pub(super) caches: Caches<K, V>,
    /// For recorded answers, if the loader is replayable.
    #[cfg(feature = "explain")]
    pub(super) codec: std::sync::OnceLock<Codec<V>>,
    itself: Weak<Self>,
}

/// Calls the function for a part that has its permits: see `call::begin`.
type Begin<K, V> = fn(&Arc<Shared<K, V>>, PartId, Option<Claim>, Calls);

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    pub(super) fn new(
        fetch: Fetch<K, V>,
        begin: Begin<K, V>,
        at: &'static Location<'static>,
    ) -> Arc<Self> {
        let state = State::new(Settings::new(fetch.site, at));
        Arc::new_cyclic(|itself| Self {
            id: next_id(),
            at,
            fetch,
            begin,
            state: ThreadLock::new(state),
            waking: Waking::default(),
            hasher: RandomState::default(),
            caches: Caches::new(),
            #[cfg(feature = "explain")]
            codec: std::sync::OnceLock::new(),
            itself: Weak::clone(itself),
        })
    }

    pub(super) fn this(&self) -> Arc<Self> {
        self.itself.upgrade().unwrap_or_else(|| unreachable!("somebody has called this"))
    }

    pub(super) fn downgrade(&self) -> Weak<Self> {
        Weak::clone(&self.itself)
    }
}

/// # The state
///
/// Each of these returns `None` if code of users under the lock has called it.
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    #[inline(always)]
    pub(super) fn lock(&self) -> Option<Locked<'_, State<K, V>>> {
        self.state.lock()
    }

    /// Looks at the state, or changes what has no consequences for others.
    #[inline(always)]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut State<K, V>) -> R) -> Option<R> {
        let mut state = self.lock()?;
        Some(f(&mut state))
    }

    /// Changes the state, and does what follows from that. Functions that are not async are called by `calls`.
    #[inline]
    pub(super) fn change<R>(
        &self,
        calls: Calls,
        f: impl FnOnce(&mut State<K, V>) -> R,
    ) -> Option<R> {
        let mut state = self.lock()?;
        let result = f(&mut state);
        self.follow(state, calls);
        Some(result)
    }

    /// Does what follows from a change of the state.
    #[inline]
    pub(super) fn follow(&self, mut state: Locked<'_, State<K, V>>, calls: Calls) {
        state.perform();
        let timer = if state.is_timed { state.timer_to_set() } else { None };
        if state.effects.is_empty() && state.wakers.are_still() && timer.is_none() {
            return;
        }
        let effects = std::mem::take(&mut state.effects);
        let (woken, unused) = state.wakers.take();
        let waking = (woken.len() > 1).then(|| self.waking.begin());
        drop(state);
        let woken = waking::wake_all(woken);
        drop((waking, unused));
        self.finish(effects, timer, calls);
        waking::go_on(woken);
    }

    #[cold]
    fn finish(&self, mut effects: Effects<K, V>, timer: Option<u64>, calls: Calls) {
        let claims = std::mem::take(&mut effects.claims);
        // Keys and values may panic when they are dropped.
        let mut ended = catch_unwind(AssertUnwindSafe(|| effects.run()));
        for part in claims {
            ended = ended.and(catch_unwind(AssertUnwindSafe(|| self.start(part, calls))));
        }
        if let Some(time) = timer {
            self.set_timer(time);
        }
        waking::go_on(ended);
    }
}

/// # Settings and counts
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    pub(super) fn set(&self, set: impl FnOnce(&mut Settings<K, V, AllThreads>)) {
        self.change(Calls::InJobs, |state| state.set(set));
    }

    pub(super) fn settings(&self) -> Option<Arc<Settings<K, V, AllThreads>>> {
        self.with(|state| Arc::clone(&state.settings))
    }

    pub(super) fn name(&self) -> String {
        self.settings().map(|settings| settings.name.to_string()).unwrap_or_default()
    }

    pub(super) fn stats(&self) -> Stats {
        let stats = self.with(|state| state.machine.stats()).unwrap_or_default();
        let asynq_loader::Stats { batches, keys, largest, hits, time } = stats;
        Stats { batches, keys, hits, largest, time: Duration::from_nanos(time) }
    }
}
