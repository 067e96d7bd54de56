//! The life of a batch: opened, filled, flushed, closed.

use alloc::vec::Vec;
use core::mem;

use crate::batch::{Askers, Batch, BatchState, PriorityRule, QueuePlace};
use crate::context::Scope;
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::{BatchId, ContextId, FrameId, ItemId, TaskId};
use crate::items::Waits;

/// The place of code that flushes a batch out of turn: see [`Engine::enter_flush`].
#[derive(Debug)]
#[must_use = "the code goes back to it: `Engine::leave_flush`"]
pub struct Place {
    task: Option<TaskId>,
    scope: Option<ContextId>,
}

impl Place {
    /// Returns the innermost context that the code was in.
    #[must_use]
    pub fn scope(&self) -> Option<ContextId> {
        self.scope
    }
}

/// # 1. Add: batches
impl<H: Host> Engine<H> {
    /// Opens a batch. It is flushed when one of its items is awaited and nothing can run.
    pub fn add_batch(&mut self, payload: H::Batch, rule: PriorityRule) -> BatchId {
        self.batches_opened += 1;
        self.batches.insert(Batch {
            payload,
            items: mem::take(&mut self.spare_items),
            duplicates: 0,
            rule,
            state: BatchState::Open(QueuePlace::Unlisted),
            opened: self.batches_opened,
            needed_by: FrameId::NONE,
            scope: None,
            has_scope: false,
            askers: Askers::Counted,
            is_limited_to_call: false,
        })
    }

    /// Limits the flush of a batch to the contexts of the call that drives it: of those that are
    /// common to everybody who waits, the contexts that tasks have entered since that call began are
    /// paused as well. Contexts that are [kept out of flushes](Self::keep_out_of_flushes) are active if
    /// they are among the caller's.
    pub fn limit_to_call(&mut self, id: BatchId) {
        if let Some(batch) = self.batches.get_mut(id) {
            batch.is_limited_to_call = true;
        }
    }

    /// Tells the engine that other code may have asked for the items of a batch than that which adds
    /// them. Then each item counts for those who wait for it, and while nobody waits for one, nothing
    /// is common.
    pub fn add_for_others(&mut self, id: BatchId) {
        if let Some(batch) = self.batches.get_mut(id) {
            batch.askers = Askers::Unknown;
        }
    }

    /// Tells the engine that so many items of a batch are equal to others. They do not count, neither for
    /// the priority nor in reports.
    pub fn set_duplicates(&mut self, id: BatchId, duplicates: usize) {
        if let Some(batch) = self.batches.get_mut(id) {
            batch.duplicates = duplicates;
        }
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
        let index = batch.items.push();
        let needed_by = batch.needed_by;
        if batch.can_narrow() && batch.askers != Askers::Unknown {
            if !self.contexts.is_empty() {
                self.narrow_to_asking_code(id);
            } else if self.frames.runs_task() {
                batch.has_scope = true;
            } else {
                batch.askers = Askers::Outside;
            }
        }
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
    ///
    /// The front end then moves the code that runs now to the contexts of the flush
    /// ([`enter_flush`](Self::enter_flush)).
    pub fn begin_flush(&mut self, id: BatchId) -> bool {
        let Some(batch) = self.batches.get(id) else {
            return false;
        };
        let BatchState::Open(_) = batch.state else {
            return false;
        };
        if !self.contexts.is_empty() {
            let scope = self.scope_out_of_turn(id);
            self.narrow_open(id, scope);
        }
        self.start_flush(id);
        true
    }

    /// Begins the flush of an open batch that is chosen, under `scope`.
    pub(crate) fn begin_chosen_flush(&mut self, id: BatchId, scope: Scope) {
        if !self.contexts.is_empty() {
            self.narrow_open(id, scope);
            self.frame_mut().chosen = Some(id);
        }
        self.start_flush(id);
    }

    /// Begins the flush of an open batch under its scope: from now on it takes no more items.
    fn start_flush(&mut self, id: BatchId) {
        let batch = &self.batches[id];
        let items = batch.count();
        if let Some(owner) = self.frames.owner_mut(batch.needed_by) {
            owner.flush_queue.remove(&mut self.batches, id);
            owner.flush_queue.forget_answers(&mut self.batches);
        }
        let batch = &mut self.batches[id];
        batch.state = BatchState::Flushing(batch.scope);
        self.record(|| Event::FlushBegan { batch: id, items });
    }

    /// Opens a batch again that [`Step::Flush`](crate::Step::Flush) has chosen, before anything of it
    /// was sent: code of the user runs first, which may add items, or flush it in a call. The front
    /// end then flushes it [out of turn](Self::begin_flush), if it is open still. That flush is
    /// under no other contexts than the chosen one was. Returns whether it was being flushed.
    pub fn reopen(&mut self, id: BatchId) -> bool {
        let Some(batch) = self.batches.get_mut(id) else {
            return false;
        };
        let BatchState::Flushing(_) = batch.state else {
            return false;
        };
        batch.state = BatchState::Open(QueuePlace::Unlisted);
        let needed_by = batch.needed_by;
        if let Some(owner) = self.frames.owner_mut(needed_by) {
            owner.flush_queue.insert(&mut self.batches, id);
        }
        true
    }

    /// Moves the code that runs now, of a task or of none, to the [scope](Self::flush_scope) of a
    /// flush that has begun out of turn. Returns the place to which
    /// [`leave_flush`](Self::leave_flush) moves it back; `None` if there are no contexts.
    ///
    /// The front end [switches](Self::switch_to) to the scope of the flush after this, and to that
    /// of the place before it leaves the flush.
    pub fn enter_flush(&mut self, batch: BatchId) -> Option<Place> {
        if self.contexts.is_empty() {
            return None;
        }
        let place = Place { task: self.running(), scope: self.code_scope() };
        self.contexts.retain(place.scope);
        if let Some(task) = place.task {
            self.contexts.begin_flushing(task, place.scope);
        }
        self.move_task(place.task, self.flush_scope(batch));
        Some(place)
    }

    /// Ends the flush that [`enter_flush`](Self::enter_flush) began. The task goes back to the innermost
    /// context that it was in, or, if it has left that meanwhile, to the one around it.
    pub fn leave_flush(&mut self, Place { task, scope }: Place) {
        if let Some(task) = task {
            let outside = self.contexts.end_flushing(task);
            self.move_task(Some(task), outside);
        }
        if let Some(scope) = scope {
            self.contexts.release(scope);
        }
    }

    fn move_task(&mut self, task: Option<TaskId>, scope: Option<ContextId>) {
        if let Some(node) = task.and_then(|task| self.tasks.get_mut(task)) {
            self.contexts.replace(&mut node.scope, scope);
        }
    }

    /// Returns the innermost context that a batch which is being flushed, or in flight, is under.
    #[must_use]
    pub fn flush_scope(&self, batch: BatchId) -> Option<ContextId> {
        self.batches.get(batch)?.scope
    }

    /// Gives an item its value or error: the tasks that wait for it are woken.
    pub fn complete_item(&mut self, item: ItemId) {
        let Some(batch) = self.batches.get_mut(item.batch) else {
            return;
        };
        let mut next = match batch.items.complete(item.index) {
            Waits::None => return,
            Waits::One(waiter) => return self.wake_waiter(waiter),
            Waits::Several(first) => Some(first),
        };
        while let Some(index) = next
            && let Some(batch) = self.batches.get_mut(item.batch)
        {
            let (waiter, after) = batch.items.take_wait(index);
            self.wake_waiter(waiter);
            next = after;
        }
    }

    /// Puts a batch that is being flushed in flight: its values come later, when `flush_task` has
    /// ended, or else from outside. Either way the front end [closes](Self::close) the batch then.
    pub fn defer(&mut self, id: BatchId, flush_task: Option<TaskId>) {
        let Some(batch) = self.batches.get_mut(id) else {
            return;
        };
        let BatchState::Flushing(limit) = batch.state else {
            return;
        };
        batch.state = BatchState::InFlight(flush_task);
        let needed_by = batch.needed_by;
        if let Some(task) = flush_task {
            self.inherit_flush_scope(task, id, limit);
        }
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
            BatchState::InFlight(Some(_)) | BatchState::Flushing(_) => {}
        }
        let mut batch = self.batches.remove(id)?;
        if let Some(scope) = batch.scope {
            self.contexts.release(scope);
        }
        self.record(|| Event::FlushEnded(id));
        if self.is_listening() {
            // The step after this sorts the tasks, but the events are in the order of the waits, too.
            let mut waiters: Vec<_> = batch.items.waiters().collect();
            waiters.sort_by_key(|waiter| waiter.stamp);
            for waiter in waiters {
                self.wake_waiter(waiter);
            }
        } else {
            for waiter in batch.items.waiters() {
                self.wake_waiter(waiter);
            }
        }
        batch.items.clear();
        self.spare_items = batch.items;
        Some(batch.payload)
    }
}
