//! Loads that are not known to the state machine yet.
//!
//! Once a batch has very many keys, further loads only join it. Equal keys are found when the batch is about
//! to be flushed: in a large table, one look-up after the other takes a fraction of the time that it takes
//! between the steps of tasks, where each has to wait for memory.

use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use asynq_loader::{Join, SlotId};
use slotmap::Key as _;

use super::keys::{KeyRequest, LocalKeys, Shared};
use super::request::Request;
use super::slot_table::Place;
use crate::batch::{Admitting, WeakItem};
use crate::call_stack::AsynqStack;
use crate::error::TaskError;
use crate::loader::key::Key;

/// Number of keys from which on look-ups wait for the flush. The tables of fewer keys are in the cache.
const MANY: usize = 4096;

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    /// Returns whether a load may wait for the flush before it is looked up. Notes that it does.
    #[inline]
    pub(super) fn defers(&self) -> bool {
        self.table.len() >= MANY && self.may_defer()
    }

    fn may_defer(&self) -> bool {
        let machine = self.machine.borrow();
        // Values are neither cached nor in flight.
        let defers =
            !self.is_timed.get() && !self.caches.get() && machine.pending() == machine.unsent();
        self.has_deferred.set(self.has_deferred.get() || defers);
        defers
    }

    /// Gives the state machine the keys of a batch from `first` on.
    pub(super) fn admit(
        &self,
        keys: &mut [KeyRequest<K>],
        first: usize,
        batch: &Admitting<'_, LocalKeys<K, V>>,
    ) {
        if !self.has_deferred.take() {
            return;
        }
        let next = Cell::new(first);
        while next.get() < keys.len() {
            let admit_rest = AssertUnwindSafe(|| {
                for (index, place) in keys.iter_mut().enumerate().skip(next.get()) {
                    next.set(index + 1);
                    if let KeyRequest::New(_) = place
                        && batch.is_pending()
                    {
                        self.admit_key(place, item(index), batch);
                    }
                }
            });
            if let Err(payload) = catch_unwind(admit_rest) {
                // A hash or comparison has panicked, and so does who awaits the item.
                WeakItem::new(batch, item(next.get() - 1))
                    .set_panic(TaskError::from_panic(payload, AsynqStack::default));
            }
        }
    }

    fn admit_key(
        &self,
        place: &mut KeyRequest<K>,
        index: u32,
        batch: &Admitting<'_, LocalKeys<K, V>>,
    ) {
        let KeyRequest::New(key) = &*place else { return };
        let hash = self.table.hash(key);
        let mut slot = SlotId::null();
        let new_place = |slot: &mut SlotId| {
            *slot = self.machine.borrow_mut().load(0);
            Place { slot: *slot, batch: batch.number(), item: index }
        };
        let before = self.table.find_or_insert(hash, key, || new_place(&mut slot));
        if let Some(before) = before {
            if before.batch == batch.number()
                && self.machine.borrow_mut().join(before.slot, |_| false) == Join::Shared
            {
                batch.set_duplicate(index, before.item);
                *place = KeyRequest::Slot(before.slot);
                return;
            }
            let new = new_place(&mut slot);
            self.table.replace(hash, before.slot, new);
        }
        if let KeyRequest::New(key) = mem::replace(place, KeyRequest::Slot(slot)) {
            let request = Request::new(key, WeakItem::new(batch, index));
            self.requests.borrow_mut().insert(slot, request);
        }
    }
}

/// Returns the number of the item of the key at `index`.
fn item(index: usize) -> u32 {
    u32::try_from(index).expect("the engine counts items in a u32")
}
