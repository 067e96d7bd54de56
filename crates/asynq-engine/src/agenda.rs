//! The batches of one frame that could be flushed, best first.
//!
//! A batch is ranked again only after it grew, so that choosing costs the logarithm of the number
//! of batches, not that number. Those that want to be asked ([`Ranking::Ask`]) are asked at every
//! choice, since their answer may depend on anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use slotmap::SlotMap;

use crate::batch::{Batch, BatchId, BatchState, Ranking};
use crate::host::{Host, Priority};

/// Where an open batch stands.
#[derive(Debug)]
pub(crate) enum Place<P> {
    /// None of its items is awaited.
    Unlisted,
    Unranked,
    Ranked(P),
}

#[derive(Debug)]
pub(crate) struct Agenda<P> {
    unranked: Vec<BatchId>,
    /// The greatest priority is last; among equals, the batch that was opened first.
    ranked: BTreeMap<(P, Reverse<u64>), BatchId>,
    /// Those of `ranked` that are to be asked again next time.
    asked: Vec<BatchId>,
}

impl<P> Default for Agenda<P> {
    fn default() -> Self {
        Self { unranked: Vec::new(), ranked: BTreeMap::new(), asked: Vec::new() }
    }
}

/// What the agenda says when a batch is wanted.
pub(crate) enum Choice {
    Nothing,
    /// The front end has to rank this batch first.
    Ask(BatchId),
    Flush(BatchId),
}

impl<P: Priority> Agenda<P> {
    /// Lists an open batch.
    pub(crate) fn insert<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>, id: BatchId)
    where
        H: Host<Priority = P>,
    {
        self.unranked.push(id);
        batches[id].state = BatchState::Open(Place::Unranked);
    }

    /// Takes notice that a batch has one item more.
    pub(crate) fn grew<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>, id: BatchId)
    where
        H: Host<Priority = P>,
    {
        let batch = &batches[id];
        if batch.ranking == Ranking::BySize
            && matches!(batch.state, BatchState::Open(Place::Ranked(_)))
        {
            self.remove(batches, id);
            self.insert(batches, id);
        }
    }

    /// Takes a batch off the list; the caller gives it its next state.
    ///
    /// An unranked one may leave an entry behind that [`choose`](Self::choose) passes over.
    pub(crate) fn remove<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>, id: BatchId)
    where
        H: Host<Priority = P>,
    {
        let batch = &mut batches[id];
        let BatchState::Open(place) = &mut batch.state else {
            return;
        };
        match core::mem::replace(place, Place::Unlisted) {
            Place::Ranked(priority) => {
                self.ranked.remove(&(priority, Reverse(batch.opened)));
            }
            Place::Unranked if self.unranked.last() == Some(&id) => {
                self.unranked.pop();
            }
            Place::Unranked | Place::Unlisted => {}
        }
    }

    /// Gives an unranked batch its rank.
    pub(crate) fn rank<H>(
        &mut self,
        batches: &mut SlotMap<BatchId, Batch<H>>,
        id: BatchId,
        priority: P,
    ) where
        H: Host<Priority = P>,
    {
        self.remove(batches, id);
        let batch = &mut batches[id];
        self.ranked.insert((priority.clone(), Reverse(batch.opened)), id);
        if batch.ranking == Ranking::Ask {
            self.asked.push(id);
        }
        batch.state = BatchState::Open(Place::Ranked(priority));
    }

    /// The batch to flush now. It stays listed.
    pub(crate) fn choose<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>) -> Choice
    where
        H: Host<Priority = P>,
    {
        while let Some(&id) = self.unranked.last() {
            let unranked = batches
                .get(id)
                .filter(|batch| matches!(batch.state, BatchState::Open(Place::Unranked)));
            let Some(batch) = unranked else {
                self.unranked.pop();
                continue;
            };
            match batch.ranking {
                // The only one there is needs no rank.
                Ranking::BySize if self.unranked.len() == 1 && self.ranked.is_empty() => {
                    return Choice::Flush(id);
                }
                Ranking::Ask => return Choice::Ask(id),
                Ranking::BySize => {
                    let priority = P::by_size(batch.items.len());
                    self.rank(batches, id, priority);
                }
            }
        }
        self.ranked.last_key_value().map_or(Choice::Nothing, |(_, &id)| Choice::Flush(id))
    }

    /// Forgets the answers of those that want to be asked: something has happened since.
    #[inline]
    pub(crate) fn forget_answers<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>)
    where
        H: Host<Priority = P>,
    {
        if !self.asked.is_empty() {
            self.ask_again(batches);
        }
    }

    fn ask_again<H>(&mut self, batches: &mut SlotMap<BatchId, Batch<H>>)
    where
        H: Host<Priority = P>,
    {
        for id in core::mem::take(&mut self.asked) {
            let Some(batch) = batches.get(id) else { continue };
            if let BatchState::Open(Place::Ranked(priority)) = &batch.state
                // Not if it has moved to the agenda of an inner frame since.
                && self.ranked.remove(&(priority.clone(), Reverse(batch.opened))).is_some()
            {
                self.insert(batches, id);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.unranked.clear();
        self.asked.clear();
        // Even that of an empty map costs more than the look.
        if !self.ranked.is_empty() {
            self.ranked.clear();
        }
    }

    /// Takes over what an inner frame leaves behind.
    pub(crate) fn append(&mut self, inner: &mut Self) {
        self.unranked.append(&mut inner.unranked);
        self.ranked.append(&mut inner.ranked);
        self.asked.append(&mut inner.asked);
    }
}
