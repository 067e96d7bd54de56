//! One batch: its keys, and a slot for the value of each item.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use asynq_engine::{ItemId, TaskId};

use super::error::{BatchErrorKind, BoxError, Failure};
use crate::call_stack::{AsynqStack, Site};
use crate::callbacks::Callbacks;
use crate::error::TaskError;
use crate::futures::FutureBase;
use crate::scheduler::{self, BatchEntry, Flushable};
use crate::task::AsyncTask;

/// A source as its batches know it.
pub(super) trait AnySource<K, V> {
    /// Calls the user's `flush`.
    fn flush(self: Rc<Self>, keys: Vec<K>, batch: Weak<BatchCell<K, V>>) -> FlushStep;
    fn name(&self) -> String;
    /// Notes that a handle to a pending item was dropped. `keys` are those of the batch, unless the
    /// flush has taken them.
    fn on_abandoned(&self, keys: &RefCell<Vec<K>>, index: u32);
    /// Notes that the batch was cancelled.
    fn on_cancelled(&self, keys: Vec<K>);
}

#[doc(hidden)]
pub enum FlushStep {
    Done(Result<(), BoxError>),
    Later(Pin<Box<dyn Future<Output = Result<(), BoxError>>>>),
}

/// A batch, from its first item until all items are resolved.
pub(super) struct BatchCell<K, V> {
    source: Rc<dyn AnySource<K, V>>,
    /// Place where the source was created.
    at: &'static Location<'static>,
    /// The engine's half of the batch: see `Note: held items`.
    entry: BatchEntry,
    base_priority: i64,
    state: Cell<BatchState>,
    /// Number of items with neither value nor error.
    pending: Cell<usize>,
    /// Keys of the items, until the flush takes them.
    keys: RefCell<Vec<K>>,
    slots: RefCell<Vec<Slot<V>>>,
    callbacks: RefCell<BTreeMap<u32, Callbacks>>,
    /// Number of extra handles per item, up to the last item that has any.
    extra_handles: RefCell<Vec<u32>>,
    /// Clones a value, if any item has extra handles.
    clone_value: Cell<Option<CloneValue<V>>>,
    /// Task of a flush that goes on. Owned, so that dropping the batch cancels it.
    flush_task: RefCell<Option<AsyncTask<Result<(), BoxError>>>>,
}

type CloneValue<V> = fn(&V) -> V;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchState {
    Open,
    Flushing,
    Flushed,
    Cancelled,
}

/// Place for the value of an item.
pub(super) enum Slot<V> {
    Pending,
    Value(V),
    Failed(Failure),
    Taken,
}

impl<V> Slot<V> {
    fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}

impl<K: 'static, V: 'static> BatchCell<K, V> {
    /// Opens a batch without items, with room for `capacity` of them.
    pub(super) fn open(
        source: Rc<dyn AnySource<K, V>>,
        at: &'static Location<'static>,
        base_priority: i64,
        capacity: usize,
    ) -> Rc<Self> {
        let cell = Rc::new(Self {
            source,
            at,
            entry: BatchEntry::new(),
            base_priority,
            state: Cell::new(BatchState::Open),
            pending: Cell::new(0),
            keys: Vec::with_capacity(capacity).into(),
            slots: Vec::with_capacity(capacity).into(),
            callbacks: RefCell::default(),
            extra_handles: RefCell::default(),
            clone_value: Cell::new(None),
            flush_task: RefCell::default(),
        });
        cell.entry.open(Rc::downgrade(&cell) as Weak<dyn Flushable>, base_priority);
        cell
    }
}

/// # Items
impl<K, V> BatchCell<K, V> {
    /// Adds an item to an open batch. Returns its index.
    pub(super) fn push(&self, key: K) -> u32 {
        let index = self.entry.add_item();
        self.keys.borrow_mut().push(key);
        self.slots.borrow_mut().push(Slot::Pending);
        self.pending.set(self.pending.get() + 1);
        index
    }

    /// Returns whether the item at `index` of an open batch has a key.
    pub(super) fn has_key(&self, index: u32, is_key: impl FnOnce(&K) -> bool) -> bool {
        self.keys.borrow().get(index as usize).is_some_and(is_key)
    }

    /// Returns the item in the engine, if it is pending.
    pub(super) fn pending(&self, index: u32) -> Option<ItemId> {
        let item = self.entry.item(index)?;
        let slots = self.slots.borrow();
        let is_pending = self.pending.get() == slots.len() || slots[index as usize].is_pending();
        is_pending.then_some(item)
    }

    /// Fills a slot that is pending.
    pub(super) fn set(&self, index: u32, slot: Slot<V>) {
        let set = self.try_set(index, slot);
        assert!(set, "batch {}: item {index} was given a value or error twice", self.source.name());
    }

    /// Fills a slot, if it is pending. Returns whether it was.
    #[inline]
    pub(super) fn try_set(&self, index: u32, slot: Slot<V>) -> bool {
        match &mut self.slots.borrow_mut()[index as usize] {
            place @ Slot::Pending => *place = slot,
            _ => return false,
        }
        self.pending.set(self.pending.get() - 1);
        self.entry.resolve(index);
        if !self.callbacks.borrow().is_empty() {
            self.run_callbacks_of(index);
        }
        true
    }

    #[cold]
    fn run_callbacks_of(&self, index: u32) {
        let callbacks = self.callbacks.borrow_mut().remove(&index);
        if let Some(callbacks) = callbacks {
            callbacks.run();
        }
    }

    /// Takes the value for one of the handles to an item.
    pub(super) fn take(&self, index: u32) -> Slot<V> {
        let slot = self.replace(index, Slot::Taken);
        let Some(clone_value) = self.clone_value.get().filter(|_| self.remove_handle(index)) else {
            return slot;
        };
        // `clone` is code of users, so nothing is borrowed.
        let copy = catch_unwind(AssertUnwindSafe(|| match &slot {
            Slot::Value(value) => Slot::Value(clone_value(value)),
            Slot::Failed(failure) => Slot::Failed(failure.clone()),
            Slot::Pending => Slot::Pending,
            Slot::Taken => Slot::Taken,
        }));
        self.replace(index, slot);
        copy.unwrap_or_else(|payload| resume_unwind(payload))
    }

    fn replace(&self, index: u32, slot: Slot<V>) -> Slot<V> {
        mem::replace(&mut self.slots.borrow_mut()[index as usize], slot)
    }

    /// Counts one handle less. Returns whether there are others.
    fn remove_handle(&self, index: u32) -> bool {
        match self.extra_handles.borrow_mut().get_mut(index as usize) {
            Some(extra) if *extra > 0 => {
                *extra -= 1;
                true
            }
            _ => false,
        }
    }

    /// Counts one more handle to an item, which will take a clone of its value.
    pub(super) fn add_handle(&self, index: u32, clone_value: CloneValue<V>) {
        self.clone_value.set(Some(clone_value));
        let mut extra_handles = self.extra_handles.borrow_mut();
        let index = index as usize;
        if extra_handles.len() <= index {
            extra_handles.resize(index + 1, 0);
        }
        extra_handles[index] += 1;
    }

    /// Notes that a handle to an item was dropped.
    pub(super) fn abandon(&self, index: u32) {
        if self.pending(index).is_some() {
            self.source.on_abandoned(&self.keys, index);
        }
    }

    /// Keeps keys that the flush has taken, for [`AnySource::on_abandoned`].
    pub(super) fn keep_keys(&self, keys: Vec<K>) {
        self.keys.replace(keys);
    }

    /// Adds a callback or waker to a pending item.
    pub(super) fn add_callback(&self, index: u32, add: impl FnOnce(&Callbacks)) {
        add(self.callbacks.borrow_mut().entry(index).or_default());
    }
}

/// # The batch
impl<K, V> BatchCell<K, V> {
    pub(super) fn is_open(&self) -> bool {
        self.state.get() == BatchState::Open
    }

    pub(super) fn is_driven(&self) -> bool {
        self.entry.is_driven()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state.get() == BatchState::Cancelled
    }

    pub(super) fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    pub(super) fn name(&self) -> String {
        self.source.name()
    }

    pub(super) fn flush_now(&self) {
        self.entry.flush();
    }

    pub(super) fn flush_after(&self, delay: Duration) {
        self.entry.flush_after(delay);
    }

    pub(super) fn cancel(&self) {
        if self.is_open() {
            self.state.set(BatchState::Cancelled);
            self.fail_pending(&Failure::Error(BatchErrorKind::Cancelled));
            self.entry.close();
            self.source.on_cancelled(self.keys.take());
            self.run_callbacks();
        }
    }

    /// Fails all pending items. The caller runs the callbacks when the batch is consistent again,
    /// since they may call into it.
    fn fail_pending(&self, failure: &Failure) {
        if self.pending.take() == 0 {
            return;
        }
        for slot in self.slots.borrow_mut().iter_mut().filter(|slot| slot.is_pending()) {
            *slot = Slot::Failed(failure.clone());
        }
        self.entry.resolve_all(0..self.item_count());
    }

    /// Runs the callbacks of all items, of which none is pending.
    fn run_callbacks(&self) {
        while let Some((_, callbacks)) = self.pop_callbacks() {
            callbacks.run();
        }
    }

    fn pop_callbacks(&self) -> Option<(u32, Callbacks)> {
        self.callbacks.borrow_mut().pop_first()
    }

    fn item_count(&self) -> u32 {
        u32::try_from(self.len()).expect("the engine counts items in a u32")
    }

    /// Ends the flush: items without a value or error fail. A panic that no item is left for goes to
    /// the call that drives the flush.
    fn finish(&self, outcome: Result<Result<(), BoxError>, TaskError>) {
        self.state.set(BatchState::Flushed);
        let failure = match outcome {
            Ok(Ok(())) => Failure::Error(BatchErrorKind::NotSet),
            Ok(Err(error)) => Failure::error(error),
            Err(panic) => {
                if self.pending.get() == 0 {
                    scheduler::try_with(|scheduler| scheduler.keep_panic(panic.clone()));
                }
                Failure::Panic(panic)
            }
        };
        self.fail_pending(&failure);
        // If no item has taken the error, this drops it. Nobody could handle a panic of that.
        drop(catch_unwind(AssertUnwindSafe(|| drop(failure))));
        self.run_callbacks();
    }
}

impl<K, V> Drop for BatchCell<K, V> {
    fn drop(&mut self) {
        self.entry.close();
    }
}

impl<K: 'static, V: 'static> Flushable for BatchCell<K, V> {
    fn flush(self: Rc<Self>) -> Option<TaskId> {
        static FLUSH: Site = Site::made("flush of a source");
        self.state.set(BatchState::Flushing);
        self.entry.hold();
        let keys = self.keys.take();
        let source = Rc::clone(&self.source);
        let batch = Rc::downgrade(&self);
        let outcome = match catch_unwind(AssertUnwindSafe(|| source.flush(keys, batch))) {
            Ok(FlushStep::Later(rest)) => {
                let task = AsyncTask::made_at(&FLUSH, self.at, rest);
                let id = task.register();
                let cell = Rc::downgrade(&self);
                task.on_computed(move || {
                    let Some(cell) = cell.upgrade() else { return };
                    let task = cell.flush_task.take().expect("kept since the flush began");
                    cell.finish(task.outcome());
                    cell.entry.close();
                });
                *self.flush_task.borrow_mut() = Some(task);
                return Some(id);
            }
            Ok(FlushStep::Done(result)) => Ok(result),
            Err(payload) => Err(TaskError::from_panic(payload, AsynqStack::default)),
        };
        self.finish(outcome);
        None
    }

    fn report_held(&self) {
        let slots = self.slots.borrow();
        self.entry.report_held(
            (0..).zip(&*slots).filter(|(_, slot)| !slot.is_pending()).map(|(index, _)| index),
        );
    }

    fn name(&self) -> String {
        self.name()
    }

    fn base_priority(&self) -> i64 {
        self.base_priority
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<K, V> fmt::Debug for BatchCell<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}, {} items", self.name(), self.state.get(), self.len())
    }
}
