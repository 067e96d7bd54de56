//! The batches of one frame that could be flushed, by priority.
//!
//! A few batches are looked through at every choice. Of many, the priority of each is looked up again only
//! after the batch grew, so that choosing costs the logarithm of their number. The front end is asked for
//! the priority of a batch with [`PriorityRule::Ask`] at every choice, since its answer may depend on anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use core::mem;

use crate::batch::{BatchState, Batches, PriorityRule, QueuePlace};
use crate::host::{Host, Priority};
use crate::id::BatchId;

/// Number of batches up to which it costs less to look through them than to keep them sorted.
const FEW: usize = 64;

#[derive(Debug)]
pub(crate) struct FlushQueue<P> {
    /// Batches with a priority that is not known. An entry whose batch has another
    /// [`QueuePlace`] meanwhile means nothing.
    unsorted: Vec<BatchId>,
    /// The greatest priority is last; among equals, the batch that was opened first.
    sorted: BTreeMap<(P, Reverse<u64>), BatchId>,
    /// Sorted batches with a priority that the front end gave, which counts for one choice.
    answered: Vec<BatchId>,
}

impl<P> Default for FlushQueue<P> {
    fn default() -> Self {
        Self { unsorted: Vec::new(), sorted: BTreeMap::new(), answered: Vec::new() }
    }
}

/// The answer of a flush queue when a batch is wanted.
pub(crate) enum Choice {
    Nothing,
    /// The front end has to give the priority of this batch first.
    AskPriority(BatchId),
    Flush(BatchId),
}

impl<P: Priority> FlushQueue<P> {
    /// Lists an open batch.
    pub(crate) fn insert<H: Host<Priority = P>>(&mut self, batches: &mut Batches<H>, id: BatchId) {
        self.unsorted.push(id);
        batches[id].state = BatchState::Open(QueuePlace::Unsorted);
    }

    /// Takes notice that a batch has one item more.
    pub(crate) fn grew<H: Host<Priority = P>>(&mut self, batches: &mut Batches<H>, id: BatchId) {
        let batch = &batches[id];
        if batch.rule != PriorityRule::Ask
            && matches!(batch.state, BatchState::Open(QueuePlace::Sorted(_)))
        {
            self.remove(batches, id);
            self.insert(batches, id);
        }
    }

    /// Takes a batch off the queue; the caller gives it its next state.
    ///
    /// An unsorted one may leave an entry behind that [`choose`](Self::choose) passes over, if there are many.
    pub(crate) fn remove<H: Host<Priority = P>>(&mut self, batches: &mut Batches<H>, id: BatchId) {
        let batch = &mut batches[id];
        let BatchState::Open(place) = &mut batch.state else {
            return;
        };
        match mem::replace(place, QueuePlace::Unlisted) {
            QueuePlace::Sorted(priority) => {
                self.sorted.remove(&(priority, Reverse(batch.opened)));
            }
            QueuePlace::Unsorted if self.unsorted.last() == Some(&id) => {
                self.unsorted.pop();
            }
            QueuePlace::Unsorted if self.unsorted.len() <= FEW => {
                self.unsorted.retain(|&other| other != id);
            }
            QueuePlace::Unsorted | QueuePlace::Unlisted => {}
        }
    }

    /// Sorts an unsorted batch by its priority.
    pub(crate) fn set_priority<H: Host<Priority = P>>(
        &mut self,
        batches: &mut Batches<H>,
        id: BatchId,
        priority: P,
    ) {
        self.remove(batches, id);
        let batch = &mut batches[id];
        self.sorted.insert((priority.clone(), Reverse(batch.opened)), id);
        if batch.rule == PriorityRule::Ask {
            self.answered.push(id);
        }
        batch.state = BatchState::Open(QueuePlace::Sorted(priority));
    }

    /// Returns whether a batch is listed.
    pub(crate) fn has_any<H: Host<Priority = P>>(&self, batches: &Batches<H>) -> bool {
        let is_listed = |&id: &BatchId| {
            let state = batches.get(id).map(|batch| &batch.state);
            matches!(state, Some(BatchState::Open(QueuePlace::Unsorted)))
        };
        !self.sorted.is_empty() || self.unsorted.iter().any(is_listed)
    }

    /// Chooses the batch to flush now. It stays listed. `asks` says whether to ask even if there is only
    /// one.
    pub(crate) fn choose<H: Host<Priority = P>>(
        &mut self,
        batches: &mut Batches<H>,
        asks: bool,
    ) -> Choice {
        match self.largest_of_few(batches) {
            Some(id) => Choice::Flush(id),
            None => self.choose_of_any(batches, asks),
        }
    }

    /// Returns the batch to flush now if, as nearly always, there are only a few and each has the rule
    /// [`PriorityRule::BySize`].
    fn largest_of_few<H: Host<Priority = P>>(&self, batches: &Batches<H>) -> Option<BatchId> {
        if self.unsorted.len() > FEW || !self.sorted.is_empty() {
            return None;
        }
        let mut largest: Option<(BatchId, P, u64)> = None;
        for &id in &self.unsorted {
            let batch = batches.get(id)?;
            if batch.rule != PriorityRule::BySize
                || !matches!(batch.state, BatchState::Open(QueuePlace::Unsorted))
            {
                return None;
            }
            let (priority, opened) = (P::by_size(batch.count()), batch.opened);
            let is_larger =
                largest.as_ref().is_none_or(|(_, greatest, first)| match priority.cmp(greatest) {
                    Ordering::Less => false,
                    Ordering::Equal => opened < *first,
                    Ordering::Greater => true,
                });
            if is_larger {
                largest = Some((id, priority, opened));
            }
        }
        largest.map(|(id, ..)| id)
    }

    fn choose_of_any<H: Host<Priority = P>>(
        &mut self,
        batches: &mut Batches<H>,
        asks: bool,
    ) -> Choice {
        self.unsorted.retain(|&id| {
            let state = batches.get(id).map(|batch| &batch.state);
            matches!(state, Some(BatchState::Open(QueuePlace::Unsorted)))
        });
        // The only one there is needs no priority.
        let is_only = self.unsorted.len() == 1 && self.sorted.is_empty();
        let sorts = self.unsorted.len() > FEW;
        let mut best = None;
        for index in (0..self.unsorted.len()).rev() {
            let id = self.unsorted[index];
            let batch = &batches[id];
            match batch.rule {
                PriorityRule::BySize if is_only => return Choice::Flush(id),
                PriorityRule::AskWhenGrown if is_only && !asks => return Choice::Flush(id),
                PriorityRule::Ask | PriorityRule::AskWhenGrown => return Choice::AskPriority(id),
                PriorityRule::BySize if sorts => {
                    let priority = P::by_size(batch.count());
                    self.set_priority(batches, id, priority);
                }
                PriorityRule::BySize => {
                    let key = (P::by_size(batch.count()), Reverse(batch.opened));
                    if best.as_ref().is_none_or(|(greatest, _)| *greatest < key) {
                        best = Some((key, id));
                    }
                }
            }
        }
        match (best, self.sorted.last_key_value()) {
            (None, None) => Choice::Nothing,
            (Some((key, _)), Some((greatest, &id))) if key < *greatest => Choice::Flush(id),
            (Some((_, id)), _) | (None, Some((_, &id))) => Choice::Flush(id),
        }
    }

    /// Forgets the priorities that the front end gave: something has happened since.
    #[inline]
    pub(crate) fn forget_answers<H: Host<Priority = P>>(&mut self, batches: &mut Batches<H>) {
        if !self.answered.is_empty() {
            self.ask_again(batches);
        }
    }

    #[cold]
    fn ask_again<H: Host<Priority = P>>(&mut self, batches: &mut Batches<H>) {
        for id in mem::take(&mut self.answered) {
            let Some(batch) = batches.get(id) else { continue };
            if let BatchState::Open(QueuePlace::Sorted(priority)) = &batch.state
                // Not if it has moved to the queue of an inner frame since.
                && self.sorted.remove(&(priority.clone(), Reverse(batch.opened))).is_some()
            {
                self.insert(batches, id);
            }
        }
    }

    /// Empties the queue, when no answers are left.
    pub(crate) fn clear(&mut self) {
        self.unsorted.clear();
        // Clearing an empty map costs more than the look.
        if !self.sorted.is_empty() {
            self.sorted.clear();
        }
    }

    /// Takes over the batches that an inner frame leaves behind, when no answers are left.
    pub(crate) fn append(&mut self, inner: &mut Self) {
        self.unsorted.append(&mut inner.unsorted);
        self.sorted.append(&mut inner.sorted);
    }
}
