//! Sending: a round becomes ready, claims permits, and its keys go out in parts.

use alloc::vec::Vec;
use core::mem;

use crate::id::{PartId, SlotId};
use crate::loader::{Held, Loader};
use crate::output::Output;
use crate::part::{Part, SentPart};
use crate::settings::{Settings, Time};
use crate::settle::Settle;
use crate::slot::SlotState;

/// # 2. Send
impl Loader {
    /// Makes the open round ready: nothing else can run, so no more keys are expected. It asks for
    /// permits, for as many parts as it needs, and stays open until it gets them.
    pub fn round_ready(&mut self, now: Time) {
        if self.queue.wanted == 0 {
            return;
        }
        let from = self.make_ready(now);
        let hold = self.settings.hold;
        let first = self.queue.first_arrival();
        let is_held = hold > 0
            && self.settings.holds_alone
            && first.is_some_and(|first| now < first.saturating_add(hold));
        if is_held {
            self.held = self.held.or(Some(Held::ForTime));
            self.send_full(now);
        } else {
            self.send_from(from, false);
        }
    }

    /// Makes the open round ready for one more request, on a host that cannot know whether further keys come: no task
    /// waits for another, but other requests may load.
    ///
    /// While the store is [busy](crate::Settings::busy), the round stays open, until fewer parts are in flight or its
    /// first key has waited as long as a part typically takes. Otherwise, with a [`hold`](crate::Settings::hold), it
    /// stays open until it has as many requests as it can expect from the rounds before, or for that time.
    pub fn round_settled(&mut self, now: Time) {
        if self.queue.wanted == 0 {
            return;
        }
        let idle = now.saturating_sub(self.last_end);
        let usual = self.settings.hold.saturating_add(self.typical_time);
        self.crowd.add(self.in_flight() > 0, idle, usual);
        let held = match self.is_busy() {
            true => Held::WhileBusy,
            false if self.expects_others() => Held::ForOthers,
            false => return self.round_ready(now),
        };
        self.make_ready(now);
        self.held = Some(held);
        if self.send_time().is_none_or(|time| time <= now) {
            self.send_held(true);
        } else {
            self.send_full(now);
        }
    }

    /// Counts a turn of an executor: everything else that can run has run once. Returns whether the open round
    /// has settled: [`Settings::settle`](crate::Settings::settle) turns have brought no new key, or 16 times as many
    /// have brought one each. Each code that waits for that has a count of its own.
    pub fn turn(&self, count: &mut Settle) -> bool {
        count.turn(self.queue.end(), self.settings.settle)
    }

    /// Makes the cached keys ready: nothing else can run, and somebody waits for one of them. If
    /// somebody in the same step waits for keys of the open round (`with_round`), they resolve
    /// together with these. Otherwise they resolve at once, and nothing is sent.
    pub fn cached_ready(&mut self, with_round: bool) {
        let slots = mem::take(&mut self.cached);
        self.cached_slots_ready(slots, with_round);
    }

    /// Makes some cached keys ready, which were loaded by
    /// [`load_cached_apart`](Self::load_cached_apart): see [`cached_ready`](Self::cached_ready).
    pub fn cached_slots_ready(&mut self, slots: Vec<SlotId>, with_round: bool) {
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

    /// Returns the time at which the open round must be sent at the latest, whatever else can run, or
    /// at which its first key is late: call [`round_late`](Self::round_late) then. `None` if the round
    /// waits for something else.
    #[must_use]
    pub fn round_deadline(&self) -> Option<Time> {
        if self.queue.wanted <= self.claimed() {
            return None;
        }
        let late = self.queue.first_deadline().map(|(deadline, _)| deadline);
        [self.send_time(), late].into_iter().flatten().min()
    }

    /// Returns whether the open round may be sent by the time or the number of its keys: it is ready and
    /// [held](crate::Settings::hold), or keys may keep coming ([`max_delay`](crate::Settings::max_delay)).
    #[inline]
    #[must_use]
    pub fn is_round_timed(&self) -> bool {
        self.held.is_some() || self.settings.max_delay.is_some()
    }

    /// Sends the open round if its deadline has passed. Keys that are late fail instead.
    pub fn round_late(&mut self, now: Time) {
        let has_passed = |time: Option<Time>| time.is_some_and(|time| time <= now);
        if !has_passed(self.round_deadline()) {
            return;
        }
        self.late_unsent(now);
        if has_passed(self.send_time()) {
            let from = self.make_ready(now);
            self.send_from(from, true);
        }
    }

    /// Returns whether as many parts are in flight as the store can take at a time.
    pub(crate) fn is_busy(&self) -> bool {
        self.settings.busy.is_some_and(|busy| self.in_flight() >= busy.in_flight.max(1))
    }

    fn in_flight(&self) -> usize {
        self.parts.len() - self.waiting.len()
    }

    /// Returns whether the open round waits for further requests, unless the store is busy.
    fn expects_others(&self) -> bool {
        let Settings { hold, holds_alone, .. } = self.settings;
        hold > 0 && !holds_alone && !self.crowd.is_complete()
    }

    /// Sends the round that was held while the store was busy, unless it expects further requests.
    pub(crate) fn end_wait_for_store(&mut self) {
        if self.expects_others() {
            self.held = Some(Held::ForOthers);
        } else {
            self.send_held(false);
        }
    }

    /// Sends the round that has waited for other requests long enough.
    pub(crate) fn send_if_late(&mut self, now: Time) {
        if self.held == Some(Held::ForOthers) && self.send_time().is_some_and(|time| time <= now) {
            self.send_held(true);
        }
    }

    fn send_held(&mut self, is_late: bool) {
        let from = self.take_unready();
        self.send_from(from, is_late);
    }

    fn send_from(&mut self, from: u64, is_late: bool) {
        self.held = None;
        self.crowd.send(is_late);
        self.claim(from);
    }

    /// Returns the time at which the first key in the queue has waited long enough.
    fn send_time(&self) -> Option<Time> {
        let first = self.queue.first_arrival()?;
        let hold = self.held.map(|held| match held {
            Held::ForTime => self.settings.hold,
            Held::ForOthers => self.crowd.patience(&self.settings, self.typical_time),
            Held::WhileBusy if self.typical_time > 0 => self.typical_time,
            Held::WhileBusy => self.settings.busy.map_or(0, |busy| busy.patience),
        });
        let wait = [hold, self.settings.max_delay].into_iter().flatten().min()?;
        Some(first.saturating_add(wait))
    }

    /// Gives a part its permits: it takes the keys that wait and are in time, as many as it may have.
    /// Returns whether to call the batch function, with the keys of [`slots_of`](Self::slots_of). If
    /// not, there are none, and the part has ended: release the permits.
    ///
    /// The first of the parts that wait takes the first keys. One that gets its permits before earlier
    /// ones, because it is of an inner call, takes the keys that were loaded for that.
    pub fn permit(&mut self, part: PartId, now: Time) -> bool {
        if matches!(self.parts.get(part), Some(Part::Waiting { .. })) {
            self.late_unsent(now);
        }
        let Some(&Part::Waiting { from }) = self.parts.get(part) else { return false };
        let is_first = self.waiting.front() == Some(&part);
        self.remove_waiting(part);
        if self.queue.wanted == 0 {
            self.parts.remove(part);
            return false;
        }
        self.set_deadline(now);
        let front = self.queue.front();
        let from = if is_first { front } else { from.max(front) };
        let mut sent = self.take_keys(part, from, now);
        if sent.slots.is_empty() {
            // Earlier parts have taken the keys for which this one was claimed.
            sent = self.take_keys(part, front, now);
        }
        self.stats.count_part(sent.slots.len());
        self.parts[part] = Part::Sent(sent);
        self.remove_unwanted();
        true
    }

    /// Begins the time of a part anew: its function is called now, after hooks or a wait for a thread.
    pub fn called(&mut self, part: PartId, now: Time) {
        if let Some(sent) = self.parts.get_mut(part).and_then(Part::sent_mut) {
            sent.sent_at = now;
        }
    }

    /// Sends what fills parts of the open round, whatever else can run.
    pub(crate) fn send_full(&mut self, now: Time) {
        let (size, claimed) = (self.settings.part_size(), self.claimed());
        if self.queue.wanted >= claimed.saturating_add(size) {
            let from = self.make_ready(now);
            while self.queue.wanted >= self.claimed().saturating_add(size) {
                self.claim_part(from);
            }
        }
    }

    /// Makes the keys in the queue ready. Returns the position of the first that was not.
    fn make_ready(&mut self, now: Time) -> u64 {
        self.set_deadline(now);
        self.take_unready()
    }

    fn take_unready(&mut self) -> u64 {
        let (front, end) = (self.queue.front(), self.queue.end());
        let ready = mem::replace(&mut self.ready_until, end);
        if ready < end { ready } else { front }
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

    fn claim(&mut self, from: u64) {
        while self.queue.wanted > self.claimed() {
            self.claim_part(from);
        }
    }

    fn claim_part(&mut self, from: u64) {
        let part = self.parts.insert(Part::Waiting { from });
        self.waiting.push_back(part);
        self.outputs.push_back(Output::Claim(part));
    }

    pub(crate) fn remove_waiting(&mut self, part: PartId) {
        // Nearly always the first.
        if self.waiting.front() == Some(&part) {
            self.waiting.pop_front();
        } else {
            self.waiting.retain(|&other| other != part);
        }
    }

    /// Takes unsent keys from a position on.
    fn take_keys(&mut self, part: PartId, from: u64, now: Time) -> SentPart {
        let size = self.settings.part_size().min(self.queue.wanted);
        let mut slots: Vec<SlotId> = Vec::with_capacity(size);
        let mut deadlines: Vec<(Time, usize)> = Vec::new();
        let mut next_deadlines = self.queue.deadlines().peekable();
        let has_deadlines = next_deadlines.peek().is_some();
        let (mut first, mut end, mut awaited) = (None, from, 0);
        for &slot in self.queue.slots_from(from) {
            if slots.len() == size {
                break;
            }
            end += 1;
            let Some(node) = self.slots.get_mut(slot) else { continue };
            if node.state != SlotState::Unsent {
                continue;
            }
            node.state = SlotState::Sent { part, is_cleared: false };
            awaited += usize::from(node.waiters > 0);
            slots.push(slot);
            first = first.or(Some(end - 1));
            if !has_deadlines {
                continue;
            }
            while next_deadlines.next_if(|&(_, until)| until < end).is_some() {}
            if let Some(&(deadline, _)) = next_deadlines.peek() {
                match deadlines.last_mut().filter(|last| last.0 == deadline) {
                    Some(last) => last.1 = slots.len(),
                    None => deadlines.push((deadline, slots.len())),
                }
            }
        }
        let riders = first.map(|first| self.riders.wait_for_part(first)).unwrap_or_default();
        if from == self.queue.front() {
            self.queue.remove_until(end);
        }
        self.queue.wanted -= slots.len();
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
