//! The settings of a loader.

use std::error::Error;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::error::LoadError;
use super::stats::Flushed;
use super::threads::Threads;
use crate::call_stack::Site;
use crate::clock;

/// Maximum time for which a round waits for a busy store, before the time of a batch is known.
const PATIENCE: Duration = Duration::from_millis(5);

/// Settings of a loader, with its defaults.
pub(super) struct Settings<K, V, T: Threads> {
    pub(super) name: Arc<str>,
    /// Describes the function.
    pub(super) function: &'static Site,
    pub(super) priority: i64,
    pub(super) max_batch_size: usize,
    pub(super) timeout: Option<Duration>,
    /// Makes the waits for a time.
    pub(super) timer: Option<Arc<T::Timer>>,
    pub(super) max_delay: Option<Duration>,
    pub(super) hold: Duration,
    pub(super) holds_alone: bool,
    pub(super) settle: u32,
    pub(super) busy: Option<usize>,
    pub(super) limit: Option<T::Limit>,
    pub(super) group: Option<T::Group>,
    /// Says which errors of keys are cached.
    pub(super) caches_error: Option<Arc<T::CachesError>>,
    pub(super) default: Option<Arc<T::Default<K, V>>>,
    pub(super) before: Vec<Arc<T::Before<K>>>,
    pub(super) after: Vec<Arc<T::After<K>>>,
    /// Send keys whose loads were dropped, together with others.
    pub(super) sends_dropped: bool,
}

impl<K, V, T: Threads> Settings<K, V, T> {
    /// Returns the settings of a loader with this `function`, which was created `at` this place.
    pub(super) fn new(function: &'static Site, at: &Location<'_>) -> Self {
        Self {
            name: default_name(at).into(),
            function,
            priority: 0,
            max_batch_size: usize::MAX,
            timeout: None,
            timer: None,
            max_delay: None,
            hold: T::HOLD_WHEN_BUSY.unwrap_or_default(),
            holds_alone: T::HOLD_WHEN_BUSY.is_none(),
            settle: T::SETTLE,
            busy: T::BUSY,
            limit: None,
            group: None,
            caches_error: None,
            default: None,
            before: Vec::new(),
            after: Vec::new(),
            sends_dropped: false,
        }
    }

    /// Returns the name of a loader that was created `at` this place, with the place.
    pub(super) fn name_and_place(&self, at: &Location<'_>) -> String {
        let default = default_name(at);
        if *self.name == *default { default } else { format!("{} at {at}", self.name) }
    }

    /// Returns whether an error of a key is cached where there is a cache.
    pub(super) fn caches_error(&self, error: &LoadError) -> bool {
        self.caches_error.as_ref().is_some_and(|caches_error| caches_error(error))
    }

    /// Returns the settings of the state machine, whose time is in nanoseconds.
    pub(super) fn for_machine(&self) -> asynq_loader::Settings {
        let patience = nanoseconds(PATIENCE);
        asynq_loader::Settings {
            max_batch_size: self.max_batch_size,
            timeout: self.timeout.map(nanoseconds),
            max_delay: self.max_delay.map(nanoseconds),
            hold: nanoseconds(self.hold),
            holds_alone: self.holds_alone,
            settle: self.settle,
            busy: self.busy.map(|in_flight| asynq_loader::Busy { in_flight, patience }),
            sends_unawaited: self.sends_dropped,
        }
    }
}

impl<K, V, T: Threads<Limit: Clone, Group: Clone>> Clone for Settings<K, V, T> {
    fn clone(&self) -> Self {
        let Self { name, timer, limit, group, caches_error, default, before, after, .. } = self;
        Self {
            name: Arc::clone(name),
            timer: timer.clone(),
            limit: limit.clone(),
            group: group.clone(),
            caches_error: caches_error.clone(),
            default: default.clone(),
            before: before.clone(),
            after: after.clone(),
            ..*self
        }
    }
}

/// Returns the time of the state machine.
pub(super) fn now() -> u64 {
    nanoseconds(clock::now())
}

/// Returns a time of the state machine, in nanoseconds.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn default_name(at: &Location<'_>) -> String {
    format!("loader at {at}")
}

/// Calls the hooks after a batch.
pub(super) fn call_after<K, F>(
    hooks: &[Arc<F>],
    keys: &[K],
    time: Duration,
    error: Option<&(dyn Error + 'static)>,
) where
    F: Fn(&Flushed<'_, K>) + ?Sized,
{
    if hooks.is_empty() {
        return;
    }
    let keys: Vec<&K> = keys.iter().collect();
    let flushed = Flushed { keys: &keys, time, error };
    for hook in hooks {
        // A panic of a hook does not fail the batch, which has completed.
        drop(catch_unwind(AssertUnwindSafe(|| hook(&flushed))));
    }
}
