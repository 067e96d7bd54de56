//! Answers: values and errors of keys, and the end of a part.

use alloc::vec::Vec;

use crate::id::{PartId, SlotId};
use crate::loader::Loader;
use crate::output::Output;
use crate::part::Part;
use crate::settings::Time;
use crate::slot::SlotState;

/// A slot that gets the value or error that was returned for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The slot, which has ended.
    pub slot: SlotId,
    /// True if the value may be cached: the key was not cleared since it was sent.
    pub is_fresh: bool,
}

/// The end of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Slots without an answer, which have ended: each gets the error of the part.
    pub unanswered: Vec<SlotId>,
    /// Time since the call of the batch function.
    pub time: Time,
}

/// # 3. Answer
impl Loader {
    /// Gives the slot at `index` of a part its answer. Returns `None`, and the answer is dropped, if
    /// the part has ended or has no such slot, or if the slot has an answer already or is late.
    #[inline(always)]
    pub fn answered(&mut self, part: PartId, index: usize) -> Option<Answered> {
        let sent = self.parts.get_mut(part)?.sent_mut()?;
        let slot = *sent.slots.get(index)?;
        let node = self.slots.remove(slot)?;
        sent.pending -= 1;
        sent.awaited -= usize::from(node.waiters > 0);
        let is_cleared = matches!(node.state, SlotState::Sent { is_cleared: true, .. });
        Some(Answered { slot, is_fresh: !is_cleared && !sent.is_cleared })
    }

    /// Ends a part whose function has returned or has failed, or that the face gives up. Returns
    /// `None` if it was not sent, or has ended before. The keys for which a part waits that is given
    /// up before it was sent stay in the queue, until the round is [ready](Self::round_ready) again.
    ///
    /// The permits are to be released.
    pub fn ended(&mut self, part: PartId, now: Time) -> Option<Ended> {
        if matches!(self.parts.get(part), Some(Part::Waiting { .. })) {
            self.remove_waiting(part);
            self.parts.remove(part);
            return None;
        }
        let sent = self.parts.get_mut(part)?.sent_mut()?;
        let unanswered =
            if sent.pending == 0 { Vec::new() } else { core::mem::take(&mut sent.slots) };
        let time = now.saturating_sub(sent.sent_at);
        self.stats.time += time;
        self.typical_time = match self.typical_time {
            0 => time,
            typical => typical - typical / 8 + time / 8,
        };
        let unanswered: Vec<_> =
            unanswered.into_iter().filter(|&slot| self.slots.remove(slot).is_some()).collect();
        self.last_end = now;
        self.remove_part(part);
        self.send_if_late(now);
        Some(Ended { unanswered, time })
    }
}

/// # 4. Deadlines
impl Loader {
    /// Returns the time at which the first key of a part will be late: call [`late`](Self::late)
    /// then. While the part waits for permits, that of the first key in the queue.
    #[must_use]
    pub fn deadline(&self, part: PartId) -> Option<Time> {
        match self.parts.get(part)? {
            Part::Waiting { .. } => self.queue.first_deadline().map(|(deadline, _)| deadline),
            Part::Sent(part) => part.deadlines.first().map(|&(deadline, _)| deadline),
        }
    }

    /// Fails the keys of a part whose deadline has passed; while it waits for permits, those in the
    /// queue. A part without keys that are in time is cancelled.
    pub fn late(&mut self, part: PartId, now: Time) {
        match self.parts.get(part) {
            Some(Part::Waiting { .. }) => self.late_unsent(now),
            Some(Part::Sent(_)) => self.late_sent(part, now),
            None => {}
        }
    }

    pub(crate) fn late_unsent(&mut self, now: Time) {
        let wanted = self.queue.wanted;
        while let Some((deadline, until)) = self.queue.first_deadline()
            && deadline <= now
        {
            while self.queue.front() < until
                && let Some(slot) = self.queue.pop()
            {
                if self.slots.get(slot).is_some_and(|node| node.state == SlotState::Unsent) {
                    self.slots.remove(slot);
                    self.queue.wanted -= 1;
                    self.outputs.push_back(Output::Late(slot));
                }
            }
            self.queue.trim();
        }
        if self.queue.wanted < wanted {
            self.remove_unwanted();
        }
    }

    fn late_sent(&mut self, part: PartId, now: Time) {
        let Some(sent) = self.parts[part].sent_mut() else { return };
        let pending = sent.pending;
        while let Some(&(deadline, end)) = sent.deadlines.first()
            && deadline <= now
        {
            sent.deadlines.remove(0);
            for &slot in &sent.slots[sent.first_in_time..end] {
                if let Some(node) = self.slots.remove(slot) {
                    sent.pending -= 1;
                    sent.awaited -= usize::from(node.waiters > 0);
                    self.outputs.push_back(Output::Late(slot));
                }
            }
            sent.first_in_time = end;
        }
        if sent.awaited == 0 && sent.pending < pending {
            self.stats.time += now.saturating_sub(sent.sent_at);
            self.cancel_part(part);
        }
    }
}
