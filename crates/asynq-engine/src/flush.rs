//! The life of a batch: opened, filled, flushed, closed.

use core::mem;

use crate::agenda::Place;
use crate::batch::{Batch, BatchId, BatchState, Item, ItemId, Ranking};
use crate::engine::{Engine, SPARE};
use crate::event::Event;
use crate::frame::Serial;
use crate::host::Host;
use crate::task::TaskId;
use crate::waiter::Waiters;

/// # 1. Add
impl<H: Host> Engine<H> {
    /// Opens a batch. It is flushed when one of its items is awaited and nothing can run.
    pub fn add_batch(&mut self, payload: H::Batch, ranking: Ranking) -> BatchId {
        self.last_batch += 1;
        self.batches.insert(Batch {
            payload,
            items: mem::take(&mut self.spare_items),
            ranking,
            state: BatchState::Open(Place::Unlisted),
            opened: self.last_batch,
            needed_by: Serial::NONE,
        })
    }

    /// Adds an item to an open batch; `None` if the batch takes no more
    /// ([`is_flushed`](Self::is_flushed)).
    ///
    /// # Panics
    ///
    /// At the 2³²nd item of a batch.
    pub fn add_item(&mut self, id: BatchId) -> Option<ItemId> {
        let batch = self.batches.get_mut(id)?;
        let BatchState::Open(place) = &batch.state else {
            return None;
        };
        let is_ranked = matches!(place, Place::Ranked(_));
        let index = u32::try_from(batch.items.len()).expect("fewer than 2³² items in a batch");
        batch.items.push(Item::Awaited(Waiters::NONE));
        let needed_by = batch.needed_by;
        if is_ranked && let Some(owner) = self.frames.owner_mut(needed_by) {
            owner.agenda.grew(&mut self.batches, id);
        }
        Some(ItemId { batch: id, index })
    }
}

/// # 5. Answer `Step::Rank` and `Step::Flush`
impl<H: Host> Engine<H> {
    /// Answers [`Step::Rank`](crate::Step::Rank).
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn rank(&mut self, batch: BatchId, priority: H::Priority) {
        let frame = self.frames.top_mut().expect("`rank` answers `Step::Rank`");
        if self.batches.get(batch).is_some_and(|b| matches!(b.state, BatchState::Open(_))) {
            frame.agenda.rank(&mut self.batches, batch, priority);
        }
    }

    /// A batch is flushed out of turn, because somebody asked for it: from now on it takes no more
    /// items. Returns whether it was open. [`Step::Flush`](crate::Step::Flush) has this done
    /// already.
    pub fn begin_flush(&mut self, id: BatchId) -> bool {
        let Some(batch) = self.batches.get(id) else {
            return false;
        };
        let BatchState::Open(_) = batch.state else {
            return false;
        };
        let items = batch.items.len();
        if let Some(owner) = self.frames.owner_mut(batch.needed_by) {
            owner.agenda.remove(&mut self.batches, id);
            owner.agenda.forget_answers(&mut self.batches);
        }
        self.batches[id].state = BatchState::Flushing;
        self.record(|| Event::FlushBegan { batch: id, items });
        true
    }

    /// An item has its value or error: those that wait for it are woken.
    pub fn complete_item(&mut self, item: ItemId) {
        let Some(batch) = self.batches.get_mut(item.batch) else {
            return;
        };
        let item = &mut batch.items[item.index as usize];
        if let Item::Awaited(waiters) = core::mem::replace(item, Item::Computed) {
            self.wake_waiters(&waiters);
        }
    }

    /// The values of a batch that is being flushed come later: when the task `carrier` has ended,
    /// or else from outside. Either way the front end [closes](Self::close) the batch then.
    pub fn defer(&mut self, id: BatchId, carrier: Option<TaskId>) {
        let Some(batch) = self.batches.get_mut(id) else {
            return;
        };
        let BatchState::Flushing = batch.state else {
            return;
        };
        batch.state = BatchState::InFlight(carrier);
        let needed_by = batch.needed_by;
        match carrier {
            // Whoever drives the batch drives it; if nobody does yet, it starts when an item is
            // awaited.
            Some(task) if needed_by > Serial::NONE => self.claim(task.into(), needed_by),
            Some(_) => {}
            None => self.add_outside(needed_by, 1),
        }
        self.record(|| Event::FlushDeferred(id));
    }

    /// Ends a batch, flushed or not. Every item has its value or error now (the front end gives
    /// one to those that the flush forgot): whoever still waits for one is woken. Returns the
    /// payload, `None` if the batch was closed before.
    pub fn close(&mut self, id: BatchId) -> Option<H::Batch> {
        let batch = self.batches.get(id)?;
        let needed_by = batch.needed_by;
        match batch.state {
            BatchState::Open(_) => {
                if let Some(owner) = self.frames.owner_mut(needed_by) {
                    owner.agenda.remove(&mut self.batches, id);
                }
            }
            BatchState::InFlight(None) => self.add_outside(needed_by, -1),
            BatchState::InFlight(Some(_)) | BatchState::Flushing => {}
        }
        let mut batch = self.batches.remove(id)?;
        self.record(|| Event::FlushEnded(id));
        for item in batch.items.drain(..) {
            if let Item::Awaited(waiters) = item {
                self.wake_waiters(&waiters);
            }
        }
        batch.items.shrink_to(SPARE);
        self.spare_items = batch.items;
        Some(batch.payload)
    }
}
