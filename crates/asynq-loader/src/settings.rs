//! The settings of a loader.

/// A point in time, or a span: a number of the face's clock, in any unit. It must not decrease.
pub type Time = u64;

/// Settings of a [`Loader`](crate::Loader).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Maximum number of keys in a part. 0 counts as 1.
    pub max_batch_size: usize,
    /// Time after which a key without an answer fails. It begins when the round of the key is ready,
    /// so it covers the wait for a permit.
    pub timeout: Option<Time>,
    /// Bound of the wait of a key, on hosts where keys may keep coming: a round is sent as soon as it
    /// has `max_batch_size` keys, or its first key has waited so long, whatever else can run. With
    /// `None`, a round is sent when it is [ready](crate::Loader::round_ready), and not before.
    pub max_delay: Option<Time>,
    /// Time for which a round stays open after its first key, although it is ready, so that others
    /// can join it.
    pub hold: Time,
    /// Hold every round, for all of that time. Without it, only a round that has
    /// [settled](crate::Loader::round_settled) is held, until it has as many requests as it can expect: those of
    /// requests that come alone are sent at once.
    pub holds_alone: bool,
    /// Number of turns of an executor without a new key after which a round has
    /// [settled](crate::Loader::turn).
    pub settle: u32,
    /// Rounds that have settled wait while the store is busy.
    pub busy: Option<Busy>,
    /// Send keys that nobody waits for any more, and do not cancel parts: for keys that are writes.
    pub sends_unawaited: bool,
}

/// The wait of rounds for a busy store, in which they collect further keys: see
/// [`round_settled`](crate::Loader::round_settled).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Number of parts in flight from which on the store is busy. 0 counts as 1.
    pub in_flight: usize,
    /// Maximum time for which the first key waits, as long as no part has ended. Afterwards, that is the time
    /// that a part typically takes.
    pub patience: Time,
}

impl Default for Settings {
    /// No limits: a round is sent as one part as soon as it is ready.
    fn default() -> Self {
        Self {
            max_batch_size: usize::MAX,
            timeout: None,
            max_delay: None,
            hold: 0,
            holds_alone: true,
            settle: 0,
            busy: None,
            sends_unawaited: false,
        }
    }
}

impl Settings {
    pub(crate) fn part_size(&self) -> usize {
        self.max_batch_size.max(1)
    }

    /// Returns whether the time at which a key was loaded matters.
    pub(crate) fn is_timed(&self) -> bool {
        self.hold > 0 || self.max_delay.is_some() || self.busy.is_some()
    }
}
