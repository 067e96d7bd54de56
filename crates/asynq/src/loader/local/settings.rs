//! The settings of a loader.

use std::rc::Rc;
use std::time::Duration;

use super::group::Membership;
use crate::loader::error::LoadError;
use crate::loader::stats::Flushed;
use crate::scheduler::Limit;

pub(super) type Default<K, V> = Rc<dyn Fn(&K) -> V>;
pub(super) type Before<K> = Rc<dyn Fn(&[K])>;
pub(super) type After<K> = Rc<dyn Fn(&Flushed<'_, K>)>;
pub(super) type CachesError = Rc<dyn Fn(&LoadError) -> bool>;

/// Settings of a loader, with its defaults.
pub(super) struct Settings<K, V> {
    pub(super) name: Rc<str>,
    pub(super) priority: i64,
    pub(super) max_batch_size: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) max_delay: Option<Duration>,
    pub(super) hold: Duration,
    pub(super) limit: Option<Rc<Limit>>,
    pub(super) group: Option<Membership>,
    /// Says which errors of keys are cached.
    pub(super) caches_error: Option<CachesError>,
    pub(super) default: Option<Default<K, V>>,
    pub(super) before: Vec<Before<K>>,
    pub(super) after: Vec<After<K>>,
    /// Send keys whose loads were dropped, together with others.
    pub(super) sends_dropped: bool,
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
            limit: None,
            group: None,
            caches_error: None,
            default: None,
            before: Vec::new(),
            after: Vec::new(),
            sends_dropped: false,
        }
    }

    /// Returns the limit of the loader's group.
    pub(super) fn group_limit(&self) -> Option<Rc<Limit>> {
        self.group.as_ref()?.group.limit()
    }

    /// Returns the settings of the state machine, whose time is in nanoseconds.
    pub(super) fn for_machine(&self) -> asynq_loader::Settings {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        asynq_loader::Settings {
            max_batch_size: self.max_batch_size,
            timeout: self.timeout.map(nanoseconds),
            max_delay: self.max_delay.map(nanoseconds),
            hold: nanoseconds(self.hold),
            sends_unawaited: self.sends_dropped,
            ..asynq_loader::Settings::default()
        }
    }
}
