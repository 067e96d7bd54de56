//! The queue of the keys that were not sent: the open round of a loader.

use alloc::collections::{VecDeque, vec_deque};
use core::iter::Copied;

use crate::id::SlotId;
use crate::settings::Time;

/// Keys in the order in which they were requested, at *positions* that count on for ever. A slot that
/// has ended, or was sent out of turn, is gone, and its place is passed over.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: VecDeque<SlotId>,
    /// Position of the first slot.
    front: u64,
    /// Number of slots that are unsent.
    pub(crate) wanted: usize,
    /// Times of arrival, each with the position from which on it holds. Kept only if the time matters.
    arrivals: VecDeque<(Time, u64)>,
    /// Deadlines of the keys that are ready, each with the position behind the last key.
    deadlines: VecDeque<(Time, u64)>,
}

impl Queue {
    /// Adds a slot that has arrived `now`, or at a time that does not matter.
    #[inline(always)]
    pub(crate) fn push(&mut self, slot: SlotId, now: Option<Time>) {
        if let Some(now) = now
            && self.arrivals.back().is_none_or(|&(time, _)| time < now)
        {
            self.arrivals.push_back((now, self.end()));
        }
        self.slots.push_back(slot);
        self.wanted += 1;
    }

    pub(crate) fn front(&self) -> u64 {
        self.front
    }

    /// Position behind the last slot.
    pub(crate) fn end(&self) -> u64 {
        self.front + self.slots.len() as u64
    }

    /// Returns the time at which the first key has arrived, if the time matters.
    pub(crate) fn first_arrival(&self) -> Option<Time> {
        self.arrivals.front().map(|&(time, _)| time)
    }

    /// Gives the keys that have no deadline yet this one.
    pub(crate) fn set_deadline(&mut self, deadline: Time) {
        let end = self.end();
        if self.deadlines.back().is_none_or(|&(_, until)| until < end) {
            self.deadlines.push_back((deadline, end));
        }
    }

    /// Returns the first deadline, and the position behind the last key for which it holds.
    pub(crate) fn first_deadline(&self) -> Option<(Time, u64)> {
        self.deadlines.front().copied()
    }

    /// Removes the first slot, which may have gone.
    pub(crate) fn pop(&mut self) -> Option<SlotId> {
        let slot = self.slots.pop_front()?;
        self.front += 1;
        Some(slot)
    }

    /// Returns the slots from a position on, which may have gone.
    pub(crate) fn slots_from(&self, position: u64) -> impl Iterator<Item = &SlotId> {
        let index = usize::try_from(position - self.front).unwrap_or(usize::MAX);
        self.slots.range(index.min(self.slots.len())..)
    }

    /// Returns the deadlines, each with the position behind the last key for which it holds.
    pub(crate) fn deadlines(&self) -> Copied<vec_deque::Iter<'_, (Time, u64)>> {
        self.deadlines.iter().copied()
    }

    /// Removes the slots before a position.
    pub(crate) fn remove_until(&mut self, position: u64) {
        let count = usize::try_from(position - self.front).unwrap_or(usize::MAX);
        if count >= self.slots.len() {
            self.slots.clear();
        } else {
            self.slots.drain(..count);
        }
        self.front = position;
        self.trim();
    }

    /// Removes the slots before the first one that is unsent.
    pub(crate) fn remove_gone(&mut self, is_gone: impl Fn(SlotId) -> bool) {
        while self.slots.front().is_some_and(|&slot| is_gone(slot)) {
            self.pop();
        }
        self.trim();
    }

    /// Forgets the times of keys that have been removed.
    pub(crate) fn trim(&mut self) {
        let (front, end) = (self.front, self.end());
        while let Some(&(_, until)) = self.deadlines.front()
            && until <= front
        {
            self.deadlines.pop_front();
        }
        if front == end {
            self.arrivals.clear();
        }
        while let Some(&(_, next)) = self.arrivals.get(1)
            && next <= front
        {
            self.arrivals.pop_front();
        }
    }
}
