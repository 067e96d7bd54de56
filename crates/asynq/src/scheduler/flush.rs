//! Flushes, and the reports of their items to the engine.
//!
//! # Note: held items
//!
//! An item has two halves: a slot in its batch, which holds the value, and an entry in the engine,
//! which knows only whether the item is resolved and which tasks wait for it. Filling the slot is
//! followed by a *report* to the engine, which wakes those tasks.
//!
//! While a flush holds the thread, no task can go on. So its items are *held*: slots are filled
//! without reports, and the end of the flush closes the batch in the engine, which resolves all of
//! them in one step.
//!
//! Something that runs inside the flush would wait for a held item for ever. So the held items are
//! reported, and later ones of that batch at once, as soon as
//!
//! - a synchronous call or a request of another executor begins inside the flush, since it may need
//!   a task that waits for a held item;
//! - another batch is flushed inside, since a call inside that flush is inside both;
//! - the flush returns a future, since tasks run before that ends.
//!
//! At most one batch has held items, the one of the innermost flush: [`Scheduler::held`].

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use asynq_engine::{BatchId, ItemId, PriorityRule};

use super::call::throw;
use super::payload::Flushable;
use super::state::{self, Scheduler};
use crate::clock;
use crate::recording::{self, SentFor};

/// Time after which a batch that is due is looked at again, if the innermost call does not drive it.
const RETRY: Duration = Duration::from_millis(1);

/// The engine's half of a batch and its items.
pub(crate) struct BatchEntry {
    /// Id in the engine, until the batch is closed.
    id: Cell<Option<BatchId>>,
    held: Cell<bool>,
}

impl BatchEntry {
    /// Creates the entry of a batch that is not in the engine yet.
    pub(crate) fn new() -> Self {
        Self { id: Cell::new(None), held: Cell::new(false) }
    }

    /// Adds the batch to the engine, by a weak reference: a batch whose items nobody can await is
    /// freed, and closed by its destructor.
    pub(crate) fn open(&self, batch: Weak<dyn Flushable>, rule: PriorityRule) {
        let id = state::with(|scheduler| scheduler.engine().add_batch(batch, rule));
        self.id.set(Some(id));
    }

    /// Adds an item to the open batch.
    #[inline]
    pub(crate) fn add_item(&self) -> ItemId {
        let id = self.id.get().expect("an open batch has an id");
        let item = state::with(|scheduler| {
            scheduler.enter_call();
            scheduler.engine().add_item(id)
        });
        item.expect("the batch is open")
    }

    /// Returns the id of an item, until the batch is closed.
    #[inline]
    pub(crate) fn item(&self, index: u32) -> Option<ItemId> {
        Some(ItemId { batch: self.id.get()?, index })
    }

    /// Returns whether the innermost call drives the batch.
    pub(crate) fn is_driven(&self) -> bool {
        let Some(item) = self.item(0) else { return false };
        state::with(|scheduler| scheduler.engine().is_driven(item.into()))
    }

    /// Flushes the batch out of turn, unless its flush has begun.
    pub(crate) fn flush(&self) {
        if let Some(id) = self.id.get() {
            state::with(|scheduler| scheduler.flush_now(id));
        }
    }

    /// Flushes the batch after `delay`, even if tasks can run then, unless its flush has begun.
    pub(crate) fn flush_after(&self, delay: Duration) {
        if let Some(id) = self.id.get() {
            state::with(|scheduler| {
                scheduler.flush_timer.add(id, delay);
                scheduler.flush_timer.set(&scheduler.wake_queue);
            });
        }
    }

    /// Tells the engine how many items are duplicates.
    pub(crate) fn set_duplicates(&self, duplicates: usize) {
        if let Some(id) = self.id.get() {
            state::with(|scheduler| scheduler.engine().set_duplicates(id, duplicates));
        }
    }

    /// Returns whether items are held.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.held.get()
    }

    /// Begins to hold items: the flush begins.
    pub(crate) fn hold(&self) {
        self.held.set(true);
    }

    /// Reports that an item is resolved, unless items are held.
    #[inline]
    pub(crate) fn resolve(&self, index: u32) {
        if !self.held.get() {
            self.report(index);
        }
    }

    /// Reports that several items are resolved, unless items are held.
    pub(crate) fn resolve_all(&self, resolved: impl Iterator<Item = u32>) {
        if !self.held.get() {
            resolved.for_each(|index| self.report(index));
        }
    }

    /// Ends the holding of items, and reports those that are resolved.
    pub(crate) fn report_held(&self, resolved: impl Iterator<Item = u32>) {
        if self.held.replace(false) {
            resolved.for_each(|index| self.report(index));
        }
    }

    fn report(&self, index: u32) {
        if let Some(item) = self.item(index) {
            state::with(|scheduler| scheduler.engine().complete_item(item));
        }
    }

    /// Removes the batch from the engine, which resolves all of its items.
    pub(crate) fn close(&self) {
        if let Some(id) = self.id.take() {
            state::try_with(|scheduler| scheduler.close(id));
        }
    }
}

impl Scheduler {
    fn batch(&self, id: BatchId) -> Rc<dyn Flushable> {
        let batch = self.engine().batch(id).and_then(Weak::upgrade);
        batch.expect("a batch is closed when it is dropped")
    }

    /// Returns the number of items of a batch, duplicates excluded.
    pub(crate) fn count_items(&self, id: BatchId) -> usize {
        let batch = self.engine().batch(id).and_then(Weak::upgrade);
        batch.map_or(0, Flushable::count)
    }

    pub(super) fn set_priority(&self, id: BatchId) {
        let batch = self.batch(id);
        let priority = (batch.base_priority(), batch.count());
        self.engine().set_priority(id, priority);
    }

    pub(super) fn flush(&self, id: BatchId) {
        let batch = self.batch(id);
        if recording::is_on() {
            recording::flush_begins(id, batch.base_priority(), batch.flush_function());
        }
        if let Some(outer) = self.held.replace(Some(id)) {
            self.batch(outer).report_held();
        }
        let flush_task = Rc::clone(&batch).flush();
        self.held.set(None);
        match flush_task {
            // The task closes the batch when it has ended.
            Some(flush_task) => {
                batch.report_held();
                if recording::is_on() {
                    recording::flush_deferred();
                }
                self.engine().defer(id, Some(flush_task));
            }
            None => self.close(id),
        }
    }

    fn flush_now(&self, id: BatchId) {
        self.enter_call();
        self.count_items(id);
        if self.engine().begin_flush(id) {
            let _reason = SentFor::asked();
            self.flush_out_of_turn(id);
            if let Some(panic) = self.take_panic() {
                throw(panic);
            }
        }
    }

    /// Flushes the batches that are due, between two steps: those that the innermost call drives.
    #[cold]
    pub(super) fn flush_due(&self) {
        self.flush_timer.reset();
        let now = clock::now_of_threads();
        while let Some((id, delay)) = self.flush_timer.pop_due(now) {
            let is_driven = {
                let engine = self.engine();
                if engine.is_flushed(id) {
                    continue;
                }
                engine.is_driven(ItemId { batch: id, index: 0 }.into())
            };
            if !is_driven {
                self.flush_timer.add(id, delay.max(RETRY));
            } else if self.engine().begin_flush(id) {
                let _reason = SentFor::delay();
                self.flush_out_of_turn(id);
            }
        }
        self.flush_timer.set(&self.wake_queue);
    }

    /// Flushes a batch whose flush has begun out of turn: tasks can run, or one does.
    fn flush_out_of_turn(&self, id: BatchId) {
        self.report_events();
        self.switch_to_branch();
        let place = self.engine().enter_flush(id);
        if place.is_some() {
            let scope = self.engine().flush_scope(id);
            self.switch_to(scope);
        }
        self.flush(id);
        if let Some(place) = place {
            self.switch_to(place.scope());
            self.engine().leave_flush(place);
        }
    }

    /// Reports the held items of the flush around a call that begins.
    pub(super) fn report_held(&self) {
        if let Some(held) = self.held.take() {
            self.batch(held).report_held();
        }
    }

    fn close(&self, id: BatchId) {
        if recording::is_on() {
            recording::flush_ends(id);
        }
        let payload = self.engine().close(id);
        drop(payload);
        self.wake_queue.wake_executors();
    }
}
