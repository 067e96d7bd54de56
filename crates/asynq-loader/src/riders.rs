//! Riders: cached keys that resolve together with the keys that are sent in the same step.

use alloc::vec::Vec;

use slotmap::SlotMap;

use crate::id::{RidersId, SlotId};

/// Cached keys that wait for some of the keys in the queue.
#[derive(Debug)]
struct Riders {
    slots: Vec<SlotId>,
    /// Front of the queue when they began to wait.
    since: u64,
    /// Position in the queue behind the last key that they wait for.
    until: u64,
    /// Number of parts in flight that have some of these keys.
    parts: usize,
}

/// All riders of a loader.
#[derive(Debug, Default)]
pub(crate) struct AllRiders {
    all: SlotMap<RidersId, Riders>,
    /// Riders whose keys have not all left the queue, in the order in which they began to wait.
    unsent: Vec<RidersId>,
}

impl AllRiders {
    /// Adds cached keys, which wait for the keys at the positions from `front` to `end`.
    pub(crate) fn add(&mut self, slots: Vec<SlotId>, front: u64, end: u64) {
        if let Some(last) = self.unsent.last().map(|&last| &mut self.all[last])
            && (last.since, last.until) == (front, end)
        {
            last.slots.extend(slots);
            return;
        }
        let id = self.all.insert(Riders { slots, since: front, until: end, parts: 0 });
        self.unsent.push(id);
    }

    /// Makes those wait for a part that wait for its keys, of which the first was at a position.
    pub(crate) fn wait_for_part(&mut self, first: u64) -> Vec<RidersId> {
        let all = &mut self.all;
        let wait = |&id: &RidersId| {
            let riders = &mut all[id];
            let waits = riders.until > first;
            riders.parts += usize::from(waits);
            waits.then_some(id)
        };
        self.unsent.iter().filter_map(wait).collect()
    }

    /// Ends the wait for a part.
    pub(crate) fn end_part(&mut self, riders: &[RidersId]) {
        for &id in riders {
            self.all[id].parts -= 1;
        }
    }

    /// Passes the riders to `resolve` that wait for nothing any more. The queue begins at `front`;
    /// `changed` are those that may have waited for the last part.
    pub(crate) fn take_resolved(
        &mut self,
        front: u64,
        changed: &[RidersId],
        mut resolve: impl FnMut(SlotId),
    ) {
        let mut free = Vec::new();
        self.unsent.retain(|&id| {
            let is_unsent = self.all[id].until > front;
            if !is_unsent {
                free.push(id);
            }
            is_unsent
        });
        free.extend_from_slice(changed);
        for id in free {
            if let Some(riders) = self.all.get(id)
                && riders.until <= front
                && riders.parts == 0
                && let Some(riders) = self.all.remove(id)
            {
                riders.slots.into_iter().for_each(&mut resolve);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
