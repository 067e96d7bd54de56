//! The life of a batch: opened, filled, flushed, closed.

use core::mem;

use crate::batch::{Batch, BatchState, Item, PriorityRule, QueuePlace};
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::{BatchId, FrameId, ItemId, TaskId};
use crate::spare::SPARE_CAPACITY;
use crate::waiter::Waiters;

/// # 1. Add: batches
impl<H: Host> Engine<H> {
    /// Opens a batch. It is flushed when one of its items is awaited and nothing can run.
    pub fn add_batch(&mut self, payload: H::Batch, rule: PriorityRule) -> BatchId {
        self.batches_opened += 1;
        self.batches.insert(Batch {
            payload,
            items: mem::take(&mut self.spare_items),
            rule,
            state: BatchState::Open(QueuePlace::Unlisted),
            opened: self.batches_opened,
            needed_by: FrameId::NONE,
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
        let is_sorted = matches!(place, QueuePlace::Sorted(_));
        let index = u32::try_from(batch.items.len()).expect("fewer than 2³² items in a batch");
        batch.items.push(Item::Awaited(Waiters::NONE));
        let needed_by = batch.needed_by;
        if is_sorted && let Some(owner) = self.frames.owner_mut(needed_by) {
            owner.flush_queue.grew(&mut self.batches, id);
        }
        Some(ItemId { batch: id, index })
    }
}

/// # 5. Answer `Step::Priority` and `Step::Flush`
impl<H: Host> Engine<H> {
    /// Answers [`Step::Priority`](crate::Step::Priority).
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn set_priority(&mut self, batch: BatchId, priority: H::Priority) {
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        if self.batches.get(batch).is_some_and(|b| matches!(b.state, BatchState::Open(_))) {
            frame.flush_queue.set_priority(&mut self.batches, batch, priority);
        }
    }

    /// Begins the flush of a batch out of turn: from now on it takes no more items. Returns
    /// whether it was open. [`Step::Flush`](crate::Step::Flush) has this done already.
    pub fn begin_flush(&mut self, id: BatchId) -> bool {
        let Some(batch) = self.batches.get(id) else {
            return false;
        };
        let BatchState::Open(_) = batch.state else {
            return false;
        };
        let items = batch.items.len();
        if let Some(owner) = self.frames.owner_mut(batch.needed_by) {
            owner.flush_queue.remove(&mut self.batches, id);
            owner.flush_queue.forget_answers(&mut self.batches);
        }
        self.batches[id].state = BatchState::Flushing;
        self.record(|| Event::FlushBegan { batch: id, items });
        true
    }

    /// Gives an item its value or error: the tasks that wait for it are woken.
    pub fn complete_item(&mut self, item: ItemId) {
        let Some(batch) = self.batches.get_mut(item.batch) else {
            return;
        };
        let item = &mut batch.items[item.index as usize];
        if let Item::Awaited(waiters) = mem::replace(item, Item::Computed) {
            self.wake_waiters(&waiters);
        }
    }

    /// Puts a batch that is being flushed in flight: its values come later, when `flush_task` has
    /// ended, or else from outside. Either way the front end [closes](Self::close) the batch then.
    pub fn defer(&mut self, id: BatchId, flush_task: Option<TaskId>) {
        let Some(batch) = self.batches.get_mut(id) else {
            return;
        };
        let BatchState::Flushing = batch.state else {
            return;
        };
        batch.state = BatchState::InFlight(flush_task);
        let needed_by = batch.needed_by;
        match flush_task {
            // The frame that drives the batch drives the task; if there is none yet, the task
            // starts when an item is awaited.
            Some(task) if needed_by > FrameId::NONE => self.claim(task.into(), needed_by),
            Some(_) => {}
            None => self.frames.add_external_wait(needed_by),
        }
        self.record(|| Event::FlushDeferred(id));
    }

    /// Ends a batch, flushed or not. Every item has its value or error now (the front end gives
    /// one to those that the flush forgot): the tasks that still wait for one are woken. Returns
    /// the payload, `None` if the batch was closed before.
    pub fn close(&mut self, id: BatchId) -> Option<H::Batch> {
        let batch = self.batches.get(id)?;
        let needed_by = batch.needed_by;
        match batch.state {
            BatchState::Open(_) => {
                if let Some(owner) = self.frames.owner_mut(needed_by) {
                    owner.flush_queue.remove(&mut self.batches, id);
                }
            }
            BatchState::InFlight(None) => self.frames.remove_external_wait(needed_by),
            BatchState::InFlight(Some(_)) | BatchState::Flushing => {}
        }
        let mut batch = self.batches.remove(id)?;
        self.record(|| Event::FlushEnded(id));
        for item in batch.items.drain(..) {
            if let Item::Awaited(waiters) = item {
                self.wake_waiters(&waiters);
            }
        }
        batch.items.shrink_to(SPARE_CAPACITY);
        self.spare_items = batch.items;
        Some(batch.payload)
    }
}
