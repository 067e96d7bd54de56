//! One batch, from its first item until all have their values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{BatchId, ItemId, TaskId};

use super::error::{BatchErrorKind, Failure};
use super::{Batch, Flush as _, FlushStep, Flushable, Items};
use crate::call_stack::{AsynqStack, Site};
use crate::callbacks::Callbacks;
use crate::error::TaskError;
use crate::futures::FutureBase;
use crate::scheduler;
use crate::task::AsyncTask;

/// A batch of a [`Source`](super::Source): a view of its state, and the means to flush it out of
/// turn or to cancel it.
pub struct BatchHandle<B: Batch> {
    pub(super) cell: Rc<BatchCell<B>>,
}

pub(super) struct BatchCell<B: Batch> {
    source: Rc<B>,
    /// Its id in the engine, until it is closed.
    id: Cell<Option<BatchId>>,
    base: i64,
    state: Cell<BatchState>,
    /// Whether the engine is told of each value at once. While the flush holds the thread nothing
    /// can go on anyway, and the end of the flush tells of all of them.
    told_at_once: Cell<bool>,
    /// How many items have neither value nor error.
    pending: Cell<usize>,
    /// Empty once the flush has begun: the flush has them then.
    keys: RefCell<Vec<B::Key>>,
    slots: RefCell<Vec<Slot<B::Value>>>,
    listeners: RefCell<BTreeMap<u32, Callbacks>>,
    /// Of each item how many handles there are besides one, up to the last that has several; and how
    /// to clone the value.
    shared: RefCell<Vec<u32>>,
    clone_value: Cell<Option<CloneValue<B>>>,
    /// The flush, while it goes on: dropped, and so cancelled, with the batch.
    carrier: RefCell<Option<AsyncTask<Result<(), super::BoxError>>>>,
}

type CloneValue<B> = fn(&<B as Batch>::Value) -> <B as Batch>::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchState {
    Open,
    Flushing,
    Flushed,
    Cancelled,
}

pub(super) enum Slot<V> {
    Pending,
    Value(V),
    Failed(Failure),
    Taken,
}

impl<B: Batch> BatchHandle<B> {
    /// Whether its flush has begun or ended, so that it takes no more items.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.cell.state.get() != BatchState::Open
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.state.get() == BatchState::Cancelled
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cell.len()
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flushes it now, whatever else could run. Does nothing to one that is flushed. A flush that
    /// awaits something is begun, and goes on when its items are awaited.
    pub fn flush(&self) {
        let Some(id) = self.cell.id.get() else { return };
        scheduler::with(|scheduler| scheduler.flush_now(id));
    }

    /// Gives it up: its items get a [`BatchErrorKind::Cancelled`]. Does nothing to one that is
    /// flushed, or being flushed.
    pub fn cancel(&self) {
        if self.cell.state.get() == BatchState::Open {
            self.cell.state.set(BatchState::Cancelled);
            self.cell.fail_pending(&Failure::Error(BatchErrorKind::Cancelled));
            self.cell.close();
            self.cell.announce();
        }
    }
}

impl<B: Batch> Clone for BatchHandle<B> {
    fn clone(&self) -> Self {
        Self { cell: Rc::clone(&self.cell) }
    }
}

impl<B: Batch> fmt::Debug for BatchHandle<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.cell.source.name();
        write!(f, "BatchHandle({name}, {:?}, {} items)", self.cell.state.get(), self.len())
    }
}

impl<B: Batch> BatchCell<B> {
    /// A batch without items, and with room for so many.
    pub(super) fn open(source: Rc<B>, room: usize) -> Rc<Self> {
        let base = source.priority();
        let cell = Rc::new(Self {
            source,
            id: Cell::new(None),
            base,
            state: Cell::new(BatchState::Open),
            told_at_once: Cell::new(true),
            pending: Cell::new(0),
            keys: Vec::with_capacity(room).into(),
            slots: Vec::with_capacity(room).into(),
            listeners: RefCell::default(),
            shared: RefCell::default(),
            clone_value: Cell::new(None),
            carrier: RefCell::default(),
        });
        // Weak, so that a batch nobody can ask for any more is freed, and closed by that.
        let payload = Rc::downgrade(&cell) as Weak<dyn Flushable>;
        cell.id.set(Some(scheduler::with(|scheduler| scheduler.open_batch(payload, base))));
        cell
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.get() == BatchState::Open
    }

    /// Adds an item to an open batch.
    pub(super) fn push(&self, key: B::Key) -> u32 {
        let id = self.id.get().expect("an open batch has an id");
        let item = scheduler::with(|scheduler| scheduler.engine().add_item(id));
        self.keys.borrow_mut().push(key);
        self.slots.borrow_mut().push(Slot::Pending);
        self.pending.set(self.pending.get() + 1);
        item.expect("the batch is open").index
    }

    /// The item in the engine, if it has to be waited for.
    pub(super) fn pending(&self, index: u32) -> Option<ItemId> {
        let batch = self.id.get()?;
        matches!(self.slots.borrow()[index as usize], Slot::Pending)
            .then_some(ItemId { batch, index })
    }

    /// Sets a slot that is pending, once.
    pub(super) fn set(&self, index: u32, slot: Slot<B::Value>) {
        let set = match &mut self.slots.borrow_mut()[index as usize] {
            place @ Slot::Pending => {
                *place = slot;
                true
            }
            _ => false,
        };
        assert!(set, "batch {}: item {index} was given a value or error twice", self.source.name());
        self.pending.set(self.pending.get() - 1);
        if self.told_at_once.get() {
            self.tell(index);
        }
        if self.listeners.borrow().is_empty() {
            return;
        }
        let listeners = self.listeners.borrow_mut().remove(&index);
        if let Some(listeners) = listeners {
            listeners.announce();
        }
    }

    /// Tells the engine that an item has its value or error.
    fn tell(&self, index: u32) {
        if let Some(batch) = self.id.get() {
            let item = ItemId { batch, index };
            scheduler::with(|scheduler| scheduler.engine().complete_item(item));
        }
    }

    pub(super) fn take(&self, index: u32) -> Slot<B::Value> {
        let slot = self.replace(index, Slot::Taken);
        let Some(clone_value) = self.clone_value.get().filter(|_| self.is_shared(index)) else {
            return slot;
        };
        // A clone is the user's code: nothing is borrowed.
        let copy = catch_unwind(AssertUnwindSafe(|| match &slot {
            Slot::Value(value) => Slot::Value(clone_value(value)),
            Slot::Failed(failure) => Slot::Failed(failure.clone()),
            Slot::Pending => Slot::Pending,
            Slot::Taken => Slot::Taken,
        }));
        self.replace(index, slot);
        copy.unwrap_or_else(|payload| resume_unwind(payload))
    }

    fn replace(&self, index: u32, slot: Slot<B::Value>) -> Slot<B::Value> {
        mem::replace(&mut self.slots.borrow_mut()[index as usize], slot)
    }

    /// Whether other handles will take the value after this one.
    fn is_shared(&self, index: u32) -> bool {
        match self.shared.borrow_mut().get_mut(index as usize) {
            Some(others) if *others > 0 => {
                *others -= 1;
                true
            }
            _ => false,
        }
    }

    /// One more handle to an item will take its value.
    pub(super) fn share(&self, index: u32, clone_value: CloneValue<B>) {
        self.clone_value.set(Some(clone_value));
        let mut shared = self.shared.borrow_mut();
        let index = index as usize;
        if shared.len() <= index {
            shared.resize(index + 1, 0);
        }
        shared[index] += 1;
    }

    pub(super) fn listen(&self, index: u32, listen: impl FnOnce(&Callbacks)) {
        listen(self.listeners.borrow_mut().entry(index).or_default());
    }

    /// Makes the items fail that are pending. Nobody who listens is told yet, since they may call:
    /// [`announce`](Self::announce) does that when the batch is in order again.
    fn fail_pending(&self, failure: &Failure) {
        if self.pending.take() == 0 {
            return;
        }
        for slot in &mut *self.slots.borrow_mut() {
            if matches!(slot, Slot::Pending) {
                *slot = Slot::Failed(failure.clone());
            }
        }
        if self.told_at_once.get() {
            self.tell_all();
        }
    }

    /// Tells those who listen to items, when no item is pending.
    fn announce(&self) {
        while let Some((_, listeners)) = self.first_listeners() {
            listeners.announce();
        }
    }

    fn first_listeners(&self) -> Option<(u32, Callbacks)> {
        self.listeners.borrow_mut().pop_first()
    }

    /// Tells the engine of all items that have their value or error.
    fn tell_all(&self) {
        for index in 0..u32::try_from(self.len()).expect("counted by the engine") {
            if !matches!(self.slots.borrow()[index as usize], Slot::Pending) {
                self.tell(index);
            }
        }
    }

    /// The flush has ended; what it has not set, fails.
    fn finish(&self, outcome: Result<Result<(), super::BoxError>, TaskError>) {
        self.state.set(BatchState::Flushed);
        let failure = match outcome {
            Ok(Ok(())) => Failure::Error(BatchErrorKind::NotSet),
            Ok(Err(error)) => Failure::error(error),
            Err(panic) => Failure::Panic(panic),
        };
        self.fail_pending(&failure);
        // If no item wants the error, it ends here; a panic of that is nobody's.
        drop(catch_unwind(AssertUnwindSafe(|| drop(failure))));
        self.announce();
    }

    fn close(&self) {
        if let Some(id) = self.id.take() {
            scheduler::try_with(|scheduler| scheduler.close(id));
        }
    }
}

impl<B: Batch> Drop for BatchCell<B> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<B: Batch> Flushable for BatchCell<B> {
    fn flush(self: Rc<Self>) -> Option<TaskId> {
        static FLUSH: Site = Site::new("flush");
        self.state.set(BatchState::Flushing);
        self.told_at_once.set(false);
        let keys = self.keys.take();
        let source = Rc::clone(&self.source);
        let items = Items::new(keys, &self);
        let step = catch_unwind(AssertUnwindSafe(|| source.flush(items).into_step()));
        let outcome = match step {
            Ok(FlushStep::Later(rest)) => {
                let task = AsyncTask::with_site(&FLUSH, rest);
                let id = task.register();
                let cell = Rc::downgrade(&self);
                task.on_computed(move || {
                    let Some(cell) = cell.upgrade() else { return };
                    let task = cell.carrier.take().expect("kept since the flush began");
                    cell.finish(task.outcome());
                    cell.close();
                });
                *self.carrier.borrow_mut() = Some(task);
                return Some(id);
            }
            Ok(FlushStep::Done(result)) => Ok(result),
            Err(payload) => Err(TaskError::from_panic(payload, AsynqStack::default)),
        };
        self.finish(outcome);
        None
    }

    fn tell_at_once(&self) {
        if !self.told_at_once.replace(true) {
            self.tell_all();
        }
    }

    fn name(&self) -> String {
        self.source.name()
    }

    fn base_priority(&self) -> i64 {
        self.base
    }

    fn len(&self) -> usize {
        self.slots.borrow().len()
    }
}
