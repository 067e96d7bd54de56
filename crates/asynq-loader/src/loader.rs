//! The struct that holds the parts of a loader.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use crate::crowd::Crowd;
use crate::id::{PartId, RidersId, SlotId};
use crate::output::Output;
use crate::part::{Part, Parts};
use crate::queue::Queue;
use crate::riders::AllRiders;
use crate::settings::{Settings, Time};
use crate::slot::{SlotState, Slots};
use crate::stats::Stats;

/// Reason why a round that is ready stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// For the time of `Settings::hold`.
    ForTime,
    /// Until as many requests have come as it expects, or for the time of `Settings::hold`.
    ForOthers,
    /// Until fewer parts are in flight, or the first key has waited long enough.
    WhileBusy,
}

/// The state of a loader on one host: a thread, an event loop, a greenlet; or of all threads of a process,
/// behind a lock.
///
/// See the [crate](crate#driving-it) for the order of the calls.
#[derive(Default)]
pub struct Loader {
    pub(crate) settings: Settings,
    pub(crate) slots: Slots,
    /// The open round: the keys that were not sent.
    pub(crate) queue: Queue,
    /// Position in the queue behind the last key that is ready.
    pub(crate) ready_until: u64,
    /// Reason why the round stays open, although it is ready.
    pub(crate) held: Option<Held>,
    /// Requests that wait for the round, on hosts with several.
    pub(crate) crowd: Crowd,
    /// Time that a part takes, as an average that forgets. 0 if none has ended.
    pub(crate) typical_time: Time,
    /// Time at which the last part has ended.
    pub(crate) last_end: Time,
    /// Parts that wait for permits, in the order in which they were claimed.
    pub(crate) waiting: VecDeque<PartId>,
    pub(crate) parts: Parts,
    /// Cached keys that were loaded since the last step.
    pub(crate) cached: Vec<SlotId>,
    pub(crate) riders: AllRiders,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) stats: Stats,
}

impl Loader {
    /// Creates a loader without keys.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Changes the settings, for everything that happens from now on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the next action for the face, in the order in which they arose. To be called after
    /// each of the other calls, until there is none.
    #[inline]
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// # 5. Look
impl Loader {
    /// Returns the counts since the loader was created.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns whether no key has been requested, or all have ended: a face may then forget the slots
    /// of all keys.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the number of keys that have been requested and have not ended.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether a slot has not ended.
    #[must_use]
    pub fn is_pending(&self, slot: SlotId) -> bool {
        self.slots.contains_key(slot)
    }

    /// Returns the number of keys that were not sent and that somebody waits for.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.queue.wanted
    }

    /// Returns the part that a slot was sent with, while the slot has no answer.
    #[must_use]
    pub fn part_of(&self, slot: SlotId) -> Option<PartId> {
        match self.slots.get(slot)?.state {
            SlotState::Sent { part, .. } => Some(part),
            SlotState::Unsent | SlotState::Cached => None,
        }
    }

    /// Returns the slots of a part that was sent, in the order in which they were loaded. They keep
    /// their indices, whichever have ended.
    #[must_use]
    pub fn slots_of(&self, part: PartId) -> Option<&[SlotId]> {
        Some(&self.parts.get(part)?.sent()?.slots)
    }

    /// Returns the parts that wait for permits, in the order in which they were claimed.
    pub fn waiting_parts(&self) -> impl Iterator<Item = PartId> + '_ {
        self.waiting.iter().copied()
    }
}

impl Loader {
    /// Resolves the cached keys that wait for nothing any more. `changed` are those that may have
    /// waited for the last part.
    pub(crate) fn resolve_riders(&mut self, changed: &[RidersId]) {
        if self.riders.is_empty() {
            return;
        }
        let (slots, outputs) = (&mut self.slots, &mut self.outputs);
        self.riders.take_resolved(self.queue.front(), changed, |slot| {
            if slots.remove(slot).is_some() {
                outputs.push_back(Output::Resolve(slot));
            }
        });
    }

    /// Follows the end of keys in the queue: withdraws the claims that the others do not need, and
    /// lets the cached keys go on that have waited for them.
    pub(crate) fn remove_unwanted(&mut self) {
        self.queue.remove_gone(|slot| {
            self.slots.get(slot).is_none_or(|node| node.state != SlotState::Unsent)
        });
        self.resolve_riders(&[]);
        if self.queue.wanted == 0 {
            self.held = None;
            self.crowd.leave();
        }
        let size = self.settings.part_size();
        let needed = self.queue.wanted.div_ceil(size);
        while self.waiting.len() > needed {
            let Some(part) = self.waiting.pop_back() else { return };
            self.parts.remove(part);
            self.outputs.push_back(Output::Cancel(part));
        }
    }

    /// Removes a part that was sent, and lets the cached keys go on that have waited for it.
    pub(crate) fn remove_part(&mut self, part: PartId) {
        if let Some(Part::Sent(part)) = self.parts.remove(part)
            && !part.riders.is_empty()
        {
            self.riders.end_part(&part.riders);
            self.resolve_riders(&part.riders);
        }
        if self.held == Some(Held::WhileBusy) && !self.is_busy() {
            self.end_wait_for_store();
        }
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("unsent", &self.queue.wanted)
            .field("parts", &self.parts.len())
            .field("pending", &self.slots.len())
            .finish_non_exhaustive()
    }
}
