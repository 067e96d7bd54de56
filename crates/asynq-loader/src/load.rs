//! Loads: keys join the round, share a slot, are cleared or given up.

use crate::id::{PartId, SlotId};
use crate::loader::Loader;
use crate::output::Output;
use crate::settings::Time;
use crate::slot::{Slot, SlotState};

/// The answer to a load of a key that has a slot already: see [`Loader::join`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Join {
    /// The load shares the slot, and will get the same value or error.
    Shared,
    /// The slot has ended, or its key was cleared after it was sent: load the key anew.
    Gone,
    /// The batch function itself loads a key that it was called for. It would wait for its own
    /// answer, so the load fails.
    SelfWait,
}

/// # 1. Load
impl Loader {
    /// Loads a key that has no slot and no cached value. It joins the open round.
    ///
    /// `now` matters only with [`max_delay`](crate::Settings::max_delay) or
    /// [`hold`](crate::Settings::hold).
    #[inline(always)]
    pub fn load(&mut self, now: Time) -> SlotId {
        let slot = self.slots.insert(Slot { waiters: 1, state: SlotState::Unsent });
        self.queue.push(slot, self.settings.is_timed().then_some(now));
        if self.settings.max_delay.is_some() || self.held.is_some() {
            self.send_full(now);
        }
        slot
    }

    /// Loads a key that has a slot. `is_asker` says whether the function of a part asks.
    #[inline]
    pub fn join(&mut self, slot: SlotId, is_asker: impl FnOnce(PartId) -> bool) -> Join {
        let Some(node) = self.slots.get_mut(slot) else { return Join::Gone };
        if let SlotState::Sent { part, is_cleared } = node.state {
            let Some(sent) = self.parts[part].sent_mut() else { return Join::Gone };
            if is_cleared || sent.is_cleared {
                return Join::Gone;
            }
            if is_asker(part) {
                return Join::SelfWait;
            }
            sent.awaited += usize::from(node.waiters == 0);
        }
        node.waiters += 1;
        self.stats.hits += 1;
        Join::Shared
    }

    /// Loads a key whose value is cached. The slot waits for the keys that are sent in the same step
    /// ([`cached_ready`](Self::cached_ready)).
    pub fn load_cached(&mut self) -> SlotId {
        let slot = self.load_cached_apart();
        self.cached.push(slot);
        slot
    }

    /// Loads a key whose value is cached, on a host that takes several steps at a time: it gives the slots of each
    /// to [`cached_slots_ready`](Self::cached_slots_ready).
    pub fn load_cached_apart(&mut self) -> SlotId {
        self.stats.hits += 1;
        self.slots.insert(Slot { waiters: 1, state: SlotState::Cached })
    }

    /// Counts a load whose value is cached and that waits for nothing: a plain call.
    #[inline]
    pub fn hit(&mut self) {
        self.stats.hits += 1;
    }

    /// Clears the key of a slot, also because another value was primed: if it was sent, the answer is
    /// neither shared with later loads nor cached. Returns whether it was sent. A key that was not is
    /// not affected, since its value will be a new one.
    pub fn clear(&mut self, slot: SlotId) -> bool {
        match self.slots.get_mut(slot).map(|node| &mut node.state) {
            Some(SlotState::Sent { is_cleared, .. }) => {
                *is_cleared = true;
                true
            }
            _ => false,
        }
    }

    /// Clears all keys that were sent.
    pub fn clear_all(&mut self) {
        for part in self.parts.values_mut().filter_map(|part| part.sent_mut()) {
            part.is_cleared = true;
        }
    }

    /// Ends the wait of one load. A key that nobody waits for any more is not sent, and a part that
    /// nobody waits for is cancelled.
    pub fn cancel(&mut self, slot: SlotId) {
        let Some(node) = self.slots.get_mut(slot) else { return };
        if node.waiters == 0 {
            return;
        }
        node.waiters -= 1;
        if node.waiters > 0 {
            return;
        }
        match node.state {
            SlotState::Unsent if self.settings.sends_unawaited => {}
            SlotState::Unsent | SlotState::Cached => {
                self.outputs.push_back(Output::Forget(slot));
                self.withdraw(slot);
            }
            SlotState::Sent { part, .. } => {
                let Some(sent) = self.parts[part].sent_mut() else { return };
                sent.awaited -= 1;
                if sent.awaited == 0 && !self.settings.sends_unawaited {
                    self.cancel_part(part);
                }
            }
        }
    }

    /// Ends a slot whose key was not sent, whoever waits for it. Returns whether there was one: the
    /// face fails its loads.
    pub fn withdraw(&mut self, slot: SlotId) -> bool {
        match self.slots.get(slot).map(|node| node.state) {
            Some(SlotState::Unsent) => {
                self.slots.remove(slot);
                self.queue.wanted -= 1;
                self.remove_unwanted();
                true
            }
            Some(SlotState::Cached) => self.slots.remove(slot).is_some(),
            Some(SlotState::Sent { .. }) | None => false,
        }
    }

    /// Ends a part in flight whose keys nobody waits for.
    pub(crate) fn cancel_part(&mut self, part: PartId) {
        if let Some(sent) = self.parts[part].sent() {
            for &slot in &sent.slots {
                if self.slots.remove(slot).is_some() {
                    self.outputs.push_back(Output::Forget(slot));
                }
            }
        }
        self.outputs.push_back(Output::Cancel(part));
        self.remove_part(part);
    }
}
