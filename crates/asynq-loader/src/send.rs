//! Sending: a round becomes ready, claims permits, and its keys go out in parts.

use alloc::vec::Vec;
use core::mem;

use crate::id::{PartId, SlotId};
use crate::loader::Loader;
use crate::output::Output;
use crate::part::{Part, SentPart};
use crate::settings::Time;
use crate::slot::SlotState;

/// # 2. Send
impl Loader {
    /// Makes the open round ready: nothing else can run, so no more keys are expected. It asks for
    /// permits, for as many parts as it needs, and stays open until it gets them.
    pub fn round_ready(&mut self, now: Time) {
        if self.queue.wanted == 0 {
            return;
        }
        self.set_deadline(now);
        let hold = self.settings.hold;
        let first = self.queue.first_arrival();
        self.is_held = hold > 0 && first.is_some_and(|first| now < first.saturating_add(hold));
        if self.is_held {
            self.send_full(now);
        } else {
            self.claim();
        }
    }

    /// Makes the cached keys ready: nothing else can run, and somebody waits for one of them. If
    /// somebody in the same step waits for keys of the open round (`with_round`), they resolve
    /// together with these. Otherwise they resolve at once, and nothing is sent.
    pub fn cached_ready(&mut self, with_round: bool) {
        let slots = mem::take(&mut self.cached);
        if with_round && self.queue.wanted > 0 {
            self.riders.add(slots, self.queue.front(), self.queue.end());
            return;
        }
        for slot in slots {
            if self.slots.remove(slot).is_some() {
                self.outputs.push_back(Output::Resolve(slot));
            }
        }
    }

    /// Returns the time at which the open round must be sent at the latest, whatever else can run:
    /// call [`round_late`](Self::round_late) then. `None` if it waits for something else.
    #[must_use]
    pub fn round_deadline(&self) -> Option<Time> {
        if self.queue.wanted <= self.claimed() {
            return None;
        }
        let first = self.queue.first_arrival()?;
        let hold = self.is_held.then_some(self.settings.hold);
        let wait = [hold, self.settings.max_delay].into_iter().flatten().min()?;
        Some(first.saturating_add(wait))
    }

    /// Sends the open round if its deadline has passed.
    pub fn round_late(&mut self, now: Time) {
        if self.round_deadline().is_some_and(|deadline| deadline <= now) {
            self.is_held = false;
            self.set_deadline(now);
            self.claim();
        }
    }

    /// Gives a part its permits: it takes the keys that wait and are in time, as many as it may have. Returns whether
    /// to call the batch function, with the keys of [`slots_of`](Self::slots_of). If not, there are
    /// none, and the part has ended: release the permits.
    pub fn permit(&mut self, part: PartId, now: Time) -> bool {
        if matches!(self.parts.get(part), Some(Part::Waiting)) {
            self.late_unsent(now);
        }
        if !matches!(self.parts.get(part), Some(Part::Waiting)) {
            return false;
        }
        self.remove_waiting(part);
        if self.queue.wanted == 0 {
            self.parts.remove(part);
            return false;
        }
        self.set_deadline(now);
        let sent = self.take_keys(part, now);
        self.stats.count_part(sent.slots.len());
        self.parts[part] = Part::Sent(sent);
        self.remove_unwanted();
        true
    }

    /// Sends what fills parts of the open round, whatever else can run.
    pub(crate) fn send_full(&mut self, now: Time) {
        let (size, claimed) = (self.settings.part_size(), self.claimed());
        if self.queue.wanted >= claimed.saturating_add(size) {
            self.set_deadline(now);
            while self.queue.wanted >= self.claimed().saturating_add(size) {
                self.claim_part();
            }
        }
    }

    fn set_deadline(&mut self, now: Time) {
        if let Some(timeout) = self.settings.timeout {
            self.queue.set_deadline(now.saturating_add(timeout));
        }
    }

    /// Returns the number of keys for which permits are claimed.
    fn claimed(&self) -> usize {
        self.waiting.len().saturating_mul(self.settings.part_size())
    }

    fn claim(&mut self) {
        while self.queue.wanted > self.claimed() {
            self.claim_part();
        }
    }

    fn claim_part(&mut self) {
        let part = self.parts.insert(Part::Waiting);
        self.waiting.push_back(part);
        self.outputs.push_back(Output::Claim(part));
    }

    pub(crate) fn remove_waiting(&mut self, part: PartId) {
        // Nearly always the first.
        let index = self.waiting.iter().position(|&other| other == part);
        index.and_then(|index| self.waiting.remove(index));
    }

    fn take_keys(&mut self, part: PartId, now: Time) -> SentPart {
        let size = self.settings.part_size().min(self.queue.wanted);
        let riders = self.riders.wait_for_part();
        let mut slots: Vec<SlotId> = Vec::with_capacity(size);
        let mut deadlines = Vec::new();
        let mut awaited = 0;
        while slots.len() < size
            && let Some(slot) = self.queue.pop()
        {
            if let Some(node) = self.slots.get_mut(slot) {
                node.state = SlotState::Sent { part, is_cleared: false };
                awaited += usize::from(node.waiters > 0);
                slots.push(slot);
            }
            if let Some((deadline, until)) = self.queue.first_deadline()
                && until == self.queue.front()
            {
                deadlines.push((deadline, slots.len()));
                self.queue.trim();
            }
        }
        if let Some((deadline, _)) = self.queue.first_deadline()
            && deadlines.last().is_none_or(|&(_, end)| end < slots.len())
        {
            deadlines.push((deadline, slots.len()));
        }
        self.queue.wanted -= slots.len();
        self.queue.trim();
        let pending = slots.len();
        SentPart {
            slots,
            pending,
            awaited,
            first_in_time: 0,
            deadlines,
            riders,
            is_cleared: false,
            sent_at: now,
        }
    }
}
