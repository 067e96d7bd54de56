//! One batch: its keys, and a slot for the value of each item.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use asynq_engine::{ItemId, PriorityRule};

use super::error::{BatchErrorKind, BoxError, Failure};
use super::flush_step::FlushStep;
use super::sharing::Sharing;
#[cfg(feature = "explain")]
use super::slot::Answered;
use super::slot::{CloneValue, Slot, is_pending};
use crate::call_stack::Site;
use crate::callbacks::Callbacks;
use crate::recording;
use crate::scheduler::{BatchEntry, Flushable, Requester, Scheduler};
use crate::task::AsyncTask;

/// A source as its batches know it.
pub(super) trait AnySource<K, V> {
    /// Calls the user's `flush`.
    fn flush(self: Rc<Self>, keys: Vec<K>, batch: Weak<BatchCell<K, V>>) -> FlushStep;
    /// Returns whether it looks for equal keys: see [`admit`](Self::admit).
    fn finds_duplicates(&self) -> bool;
    /// Looks for equal keys among those from `first` on.
    fn admit(self: Rc<Self>, keys: &mut Vec<K>, first: usize, batch: &Rc<BatchCell<K, V>>);
    fn name(&self) -> String;
    /// Returns whether recordings show its batches.
    fn is_recorded(&self) -> bool;
    /// Describes the task of a flush.
    fn flush_site(&self) -> &'static Site;
    /// Notes that a handle to a pending item was dropped. `keys` are those of the batch, unless the
    /// flush has taken them.
    fn on_abandoned(&self, keys: &RefCell<Vec<K>>, index: u32);
    /// Notes that the batch was cancelled.
    fn on_cancelled(&self, keys: Vec<K>);
}

/// A batch, from its first item until all items are resolved.
pub(super) struct BatchCell<K, V> {
    pub(super) source: Rc<dyn AnySource<K, V>>,
    /// Place where the source was created.
    pub(super) at: &'static Location<'static>,
    /// The engine's half of the batch: see `Note: held items`.
    pub(super) entry: BatchEntry,
    pub(super) base_priority: i64,
    /// Number of this batch among those of its source.
    pub(super) number: u32,
    pub(super) state: Cell<BatchState>,
    /// Number of items with neither value nor error, duplicates excluded.
    pub(super) pending: Cell<usize>,
    /// Number of items whose keys the source has compared with others.
    pub(super) admitted: Cell<usize>,
    pub(super) duplicates: Cell<usize>,
    /// Keys of the items, until the flush takes them.
    pub(super) keys: RefCell<Vec<K>>,
    pub(super) slots: RefCell<Vec<Slot<V>>>,
    pub(super) callbacks: RefCell<BTreeMap<u32, Callbacks>>,
    /// Handles to each item besides its own, up to the last item that has any.
    pub(super) sharing: RefCell<Vec<Sharing>>,
    /// Clones a value, if any item has extra handles.
    pub(super) clone_value: Cell<Option<CloneValue<V>>>,
    /// Task of a flush that goes on. Owned, so that dropping the batch cancels it.
    pub(super) flush_task: RefCell<Option<AsyncTask<Result<(), BoxError>>>>,
    /// Records the answers.
    #[cfg(feature = "explain")]
    answered: RefCell<Option<Answered<V>>>,
}

/// Number of items for which a batch has room from the beginning, if the one before had as many. A long one may be
/// followed by short ones.
const MAX_SPARE_ITEMS: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchState {
    Open,
    /// Its keys are being compared: it takes no items meanwhile.
    Admitting,
    Flushing,
    Flushed,
    Cancelled,
}

impl<K: 'static, V: 'static> BatchCell<K, V> {
    /// Opens a batch without items, with room for `capacity` of them.
    pub(super) fn open(
        source: Rc<dyn AnySource<K, V>>,
        at: &'static Location<'static>,
        base_priority: i64,
        number: u32,
        capacity: usize,
    ) -> Rc<Self> {
        let cell = Rc::new(Self {
            source,
            at,
            entry: BatchEntry::new(),
            base_priority,
            number,
            state: Cell::new(BatchState::Open),
            pending: Cell::new(0),
            admitted: Cell::new(0),
            duplicates: Cell::new(0),
            keys: Vec::with_capacity(capacity).into(),
            slots: Vec::with_capacity(capacity).into(),
            callbacks: RefCell::default(),
            sharing: RefCell::default(),
            clone_value: Cell::new(None),
            flush_task: RefCell::default(),
            #[cfg(feature = "explain")]
            answered: RefCell::default(),
        });
        cell.enter();
        cell
    }

    /// Opens a batch in the cell of one that has ended, if nobody else has that cell. Not if there are values in it:
    /// their destructors are code of users, which may call the source. Returns whether the batch is open.
    pub(super) fn reopen(self: &mut Rc<Self>, base_priority: i64, number: u32) -> bool {
        let Some(cell) = Rc::get_mut(self) else { return false };
        if !cell.is_empty() {
            return false;
        }
        let capacity = cell.capacity();
        cell.entry = BatchEntry::new();
        cell.base_priority = base_priority;
        cell.number = number;
        cell.state.set(BatchState::Open);
        cell.admitted.set(0);
        cell.duplicates.set(0);
        cell.clone_value.set(None);
        cell.sharing.get_mut().clear();
        cell.slots.get_mut().clear();
        cell.keys.get_mut().reserve(capacity);
        self.enter();
        true
    }

    /// Adds the batch to the engine.
    fn enter(self: &Rc<Self>) {
        let rule = match self.base_priority {
            0 if self.source.finds_duplicates() => PriorityRule::AskWhenGrown,
            0 => PriorityRule::BySize,
            _ => PriorityRule::Ask,
        };
        self.entry.open(Rc::downgrade(self) as Weak<dyn Flushable>, rule);
    }

    /// Returns whether a batch has ended, and nothing is left in its cell. It is not looked for in long ones.
    fn is_empty(&mut self) -> bool {
        let slots = self.slots.get_mut();
        slots.len() <= MAX_SPARE_ITEMS
            && slots.iter().all(|slot| matches!(slot, Slot::Taken))
            && self.keys.get_mut().is_empty()
            && self.callbacks.get_mut().is_empty()
            && self.flush_task.get_mut().is_none()
            && self.is_ended()
    }
}

/// # Items
impl<K, V> BatchCell<K, V> {
    /// Returns the next item of an open batch.
    #[inline]
    pub(super) fn next_item(&self) -> Option<ItemId> {
        if self.is_open() { self.entry.item(self.item_count()) } else { None }
    }

    /// Adds an item to an open batch.
    #[inline(always)]
    pub(super) fn push(&self, key: K) -> ItemId {
        let item = self.entry.add_item();
        self.keys.borrow_mut().push(key);
        self.slots.borrow_mut().push(Slot::Pending);
        self.pending.set(self.pending.get() + 1);
        if recording::is_on() {
            self.record(item);
        }
        item
    }

    /// Records a new item.
    #[cold]
    fn record(&self, item: ItemId) {
        recording::add_item(item, || self.source.name(), self.at, self.source.is_recorded());
    }

    /// Returns the item in the engine, if it is pending.
    #[inline(always)]
    pub(super) fn pending(&self, index: u32) -> Option<ItemId> {
        let item = self.entry.item(index)?;
        let slots = self.slots.borrow();
        let is_pending = self.pending.get() == slots.len() || is_pending(&slots, index);
        is_pending.then_some(item)
    }

    /// Requests the value of an item, which is pending.
    #[inline(always)]
    pub(super) fn request(&self, item: ItemId, requester: &Requester<'_>) -> bool {
        let &Requester { scheduler, waker } = requester;
        scheduler.engine().depend(item);
        if let Some(waker) = waker {
            self.register_combinator(item, scheduler, waker);
        }
        true
    }

    /// Registers the waker of a combinator that polls an item.
    #[cold]
    fn register_combinator(&self, item: ItemId, scheduler: &Scheduler, waker: &Waker) {
        self.add_callback(item.index, |callbacks| callbacks.add_waker(waker));
        scheduler.register_for_combinator(item.into(), waker);
    }

    /// Fills a slot that is pending.
    pub(super) fn set(&self, index: u32, slot: Slot<V>) {
        let set = self.try_set(index, slot);
        assert!(set, "batch {}: item {index} was given a value or error twice", self.source.name());
    }

    /// Fills a slot, if it is pending. Returns whether it was.
    #[inline]
    pub(super) fn try_set(&self, index: u32, slot: Slot<V>) -> bool {
        #[cfg(feature = "explain")]
        if self.answered.borrow().is_some() && self.slots.borrow()[index as usize].is_pending() {
            self.record_answer(index, &slot);
        }
        match &mut self.slots.borrow_mut()[index as usize] {
            place @ Slot::Pending => *place = slot,
            _ => return false,
        }
        self.pending.set(self.pending.get() - 1);
        self.entry.resolve(index);
        let has_callbacks = !self.callbacks.borrow().is_empty();
        if has_callbacks {
            self.run_callbacks_of(index);
        }
        if self.duplicates.get() > 0 && (has_callbacks || !self.entry.is_held()) {
            self.resolve_duplicates_of(index);
        }
        true
    }

    /// Calls `answered` for each item that gets its value or error.
    #[cfg(feature = "explain")]
    pub(super) fn on_answer(&self, answered: Answered<V>) {
        self.answered.replace(Some(answered));
    }

    /// Records the value or error of an item. Nothing else is borrowed, since this runs code of users.
    #[cfg(feature = "explain")]
    #[cold]
    fn record_answer(&self, index: u32, slot: &Slot<V>) {
        let answered = self.answered.take();
        if let Some(answered) = &answered {
            answered(index, slot);
        }
        self.answered.replace(answered);
    }

    #[cold]
    pub(super) fn run_callbacks_of(&self, index: u32) {
        let callbacks = self.callbacks.borrow_mut().remove(&index);
        if let Some(callbacks) = callbacks {
            callbacks.run();
        }
    }

    /// Takes the value for one of the handles to an item.
    #[inline(always)]
    pub(super) fn take(&self, index: u32) -> Slot<V> {
        let slot = self.replace(index, Slot::Taken);
        match self.clone_value.get() {
            None => slot,
            Some(clone_value) => self.take_shared(index, slot, clone_value),
        }
    }

    pub(super) fn replace(&self, index: u32, slot: Slot<V>) -> Slot<V> {
        mem::replace(&mut self.slots.borrow_mut()[index as usize], slot)
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

    /// Keeps the empty list of the keys that the flush has taken, for the next batch in this cell.
    pub(super) fn keep_room(&self, room: Vec<K>) {
        let mut keys = self.keys.borrow_mut();
        if keys.capacity() == 0 && room.capacity() <= MAX_SPARE_ITEMS {
            *keys = room;
        }
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

    /// Returns the number of items for which the next batch has room from the beginning.
    pub(super) fn capacity(&self) -> usize {
        self.len().min(MAX_SPARE_ITEMS)
    }

    /// Returns the number of items, duplicates excluded.
    pub(super) fn count(self: &Rc<Self>) -> usize {
        self.admit();
        self.len() - self.duplicates.get()
    }

    /// Lets the source find duplicates among the items that were added since the last time. That runs code
    /// of users, which may call the source: its items join another batch.
    pub(super) fn admit(self: &Rc<Self>) {
        let first = self.admitted.replace(self.len());
        if first == self.len() || !self.source.finds_duplicates() {
            return;
        }
        let is_open = self.is_open();
        if is_open {
            self.state.set(BatchState::Admitting);
        }
        let mut keys = self.keys.take();
        Rc::clone(&self.source).admit(&mut keys, first, self);
        if self.is_ended() {
            return;
        }
        self.keys.replace(keys);
        self.entry.set_duplicates(self.duplicates.get());
        if is_open {
            self.state.set(BatchState::Open);
        }
    }

    /// Returns whether all of its items have a value or an error.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state.get(), BatchState::Flushed | BatchState::Cancelled)
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

    pub(super) fn fail_pending(&self, failure: &Failure) {
        self.set_pending(|| Slot::Failed(failure.clone()));
    }

    /// Fills the slots of all pending items. The caller runs the callbacks when the batch is consistent again,
    /// since they may call into it.
    pub(super) fn set_pending(&self, slot: impl Fn() -> Slot<V>) {
        #[cfg(feature = "explain")]
        if self.answered.borrow().is_some() {
            let indexes = 0..self.item_count();
            for index in indexes.filter(|&index| is_pending(&self.slots.borrow(), index)) {
                self.record_answer(index, &slot());
            }
        }
        if self.pending.take() == 0 {
            return;
        }
        for place in self.slots.borrow_mut().iter_mut().filter(|slot| slot.is_pending()) {
            *place = slot();
        }
        self.entry.resolve_all(0..self.item_count());
    }

    /// Runs the callbacks of all items, of which none is pending.
    pub(super) fn run_callbacks(&self) {
        while let Some((_, callbacks)) = self.pop_callbacks() {
            callbacks.run();
        }
    }

    fn pop_callbacks(&self) -> Option<(u32, Callbacks)> {
        self.callbacks.borrow_mut().pop_first()
    }

    pub(super) fn item_count(&self) -> u32 {
        u32::try_from(self.len()).expect("the engine counts items in a u32")
    }
}

impl<K, V> Drop for BatchCell<K, V> {
    fn drop(&mut self) {
        self.entry.close();
    }
}

impl<K, V> fmt::Debug for BatchCell<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}, {} items", self.name(), self.state.get(), self.len())
    }
}
