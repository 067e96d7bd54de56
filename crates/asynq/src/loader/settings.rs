//! The settings of a loader.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::error::LoadError;
use super::group::Group;
use super::limits::Limit;
use super::stats::Flushed;

pub(super) type Default<K, V> = Arc<dyn Fn(&K) -> V + Send + Sync>;
pub(super) type Before<K> = Arc<dyn Fn(&[K]) + Send + Sync>;
pub(super) type After<K> = Arc<dyn Fn(&Flushed<'_, K>) + Send + Sync>;
pub(super) type CachesError = Arc<dyn Fn(&LoadError) -> bool + Send + Sync>;

/// Number of turns of an executor without a new key after which a round is sent.
const SETTLE: u32 = 2;

/// Number of batches in flight from which on a round waits and collects keys.
const BUSY: usize = 2;

/// Maximum time of that wait before the time of a batch is known.
const PATIENCE: Duration = Duration::from_millis(5);

/// Settings of a loader, with its defaults.
pub(super) struct Settings<K, V> {
    pub(super) name: Arc<str>,
    pub(super) priority: i64,
    pub(super) max_batch_size: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) max_delay: Option<Duration>,
    pub(super) hold: Duration,
    pub(super) holds_alone: bool,
    pub(super) settle: u32,
    pub(super) busy: Option<usize>,
    pub(super) limit: Option<Arc<Limit>>,
    pub(super) group: Option<Group>,
    /// Says which errors of keys are cached.
    pub(super) caches_error: Option<CachesError>,
    pub(super) default: Option<Default<K, V>>,
    pub(super) before: Vec<Before<K>>,
    pub(super) after: Vec<After<K>>,
}

impl<K, V> Settings<K, V> {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            priority: 0,
            max_batch_size: usize::MAX,
            timeout: None,
            max_delay: None,
            hold: Duration::ZERO,
            holds_alone: true,
            settle: SETTLE,
            busy: Some(BUSY),
            limit: None,
            group: None,
            caches_error: None,
            default: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Returns the limits of a part, always in the same order, so that no two parts wait for each other.
    pub(super) fn limits(&self, is_async: bool) -> Vec<Arc<Limit>> {
        let own = self.limit.clone().filter(|_| is_async);
        let group = self.group.as_ref().and_then(Group::limit);
        own.into_iter().chain(group).collect()
    }

    /// Calls the hooks after a batch.
    pub(super) fn call_after_hooks(
        &self,
        keys: &[K],
        time: Duration,
        error: Option<&(dyn Error + 'static)>,
    ) {
        if self.after.is_empty() {
            return;
        }
        let keys: Vec<&K> = keys.iter().collect();
        let flushed = Flushed { keys: &keys, time, error };
        for hook in &self.after {
            // A panic of a hook does not fail the batch, which has completed.
            drop(catch_unwind(AssertUnwindSafe(|| hook(&flushed))));
        }
    }

    /// Returns the settings of the state machine, whose time is in nanoseconds.
    pub(super) fn for_machine(&self) -> asynq_loader::Settings {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let patience = nanoseconds(PATIENCE);
        asynq_loader::Settings {
            max_batch_size: self.max_batch_size,
            timeout: self.timeout.map(nanoseconds),
            max_delay: self.max_delay.map(nanoseconds),
            hold: nanoseconds(self.hold),
            holds_alone: self.holds_alone,
            settle: self.settle,
            busy: self.busy.map(|in_flight| asynq_loader::Busy { in_flight, patience }),
            sends_unawaited: false,
        }
    }
}

impl<K, V> Clone for Settings<K, V> {
    fn clone(&self) -> Self {
        let Self { name, limit, group, caches_error, default, before, after, .. } = self;
        Self {
            name: Arc::clone(name),
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
