//! The flush of a loader: sends its round in parts, and waits for the parts that have its keys.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;

use asynq_engine::TaskId;
use asynq_loader::{PartId, SlotId};

use super::flight::Flight;
use super::group::Membership;
use super::keys::{KeyRequest, LocalKeys, PartTask, Shared};
use super::limit;
use super::part::Part;
use crate::batch::{Admitting, Batch, FlushStep, Items};
use crate::futures::all;
use crate::loader::key::Key;
use crate::loader::settings;
use crate::scheduler::{Claim, Limit};
use crate::task::{AsyncTask, WeakTask, promise};

impl<K: Key, V: Clone + 'static> Batch for LocalKeys<K, V> {
    type Key = KeyRequest<K>;
    type Value = V;
    type Flush = FlushStep;

    fn is_recorded(&self) -> bool {
        self.round.is_none()
    }

    fn flush(self: Rc<Self>, items: Items<Self>) -> FlushStep {
        let waits = self.round.is_some() || self.shared.may_wait();
        let slots = || items.keys().iter().map(KeyRequest::slot).collect();
        let slots = if waits { slots() } else { Vec::new() };
        items.return_keys();
        match &self.round {
            None => self.shared.flush_round(slots),
            Some(round) => self.shared.flush_cached(&slots, round.is_driven()),
        }
    }

    const FINDS_DUPLICATES: bool = true;

    fn admit(
        self: Rc<Self>,
        keys: &mut Vec<KeyRequest<K>>,
        first: usize,
        batch: &Admitting<'_, Self>,
    ) {
        // Those of cached keys are looked up when they are loaded.
        if self.round.is_none() {
            self.shared.admit(keys, first, batch);
        }
    }

    fn name(&self) -> String {
        self.shared.settings.borrow().name.to_string()
    }

    fn priority(&self) -> i64 {
        // Cached keys find out first which keys are sent in their step.
        if self.round.is_some() { i64::MAX } else { self.shared.settings.borrow().priority }
    }

    fn on_abandoned(&self, keys: &RefCell<Vec<KeyRequest<K>>>, index: u32) {
        let request = match keys.borrow_mut().get_mut(index as usize) {
            Some(KeyRequest::Slot(slot)) => Ok(*slot),
            Some(request) => Err(mem::replace(request, KeyRequest::ended())),
            None => return,
        };
        match request {
            Ok(slot) => self.shared.abandon(slot),
            // Code of users, which may call the loader.
            Err(request) => drop(request),
        }
    }

    fn on_cancelled(&self, keys: Vec<KeyRequest<K>>) {
        for request in keys {
            self.shared.withdraw(request.slot());
        }
    }
}

impl<K: Key, V: Clone + 'static> Shared<K, V> {
    /// Returns whether a round may be in flight. Functions that are not async return before anybody can
    /// wait, unless they wait for permits or others.
    fn may_wait(&self) -> bool {
        let settings = self.settings.borrow();
        self.fetch.is_async() || self.group_limit().is_some() || !settings.hold.is_zero()
    }

    fn flush_round(self: &Rc<Self>, slots: Vec<SlotId>) -> FlushStep {
        // Owned until they are awaited.
        let _started = self.send();
        let tasks = self.tasks_of(&slots);
        if tasks.is_empty() {
            return FlushStep::DONE;
        }
        let shared = Rc::clone(self);
        FlushStep::later(async move {
            let mut tasks = tasks;
            // Keys may have gone with another part than expected, when others were given up.
            while !tasks.is_empty() {
                drop(all(tasks).await);
                tasks = shared.tasks_of(&slots);
            }
        })
    }

    fn flush_cached(&self, slots: &[SlotId], with_round: bool) -> FlushStep {
        self.machine.borrow_mut().cached_ready(with_round);
        self.perform();
        let flush = self.last_cached_flush.get() + 1;
        self.last_cached_flush.set(flush);
        let pending = {
            let mut loads = self.cached_loads.borrow_mut();
            let mut wait = |slot| loads.get_mut(slot).map(|load| load.flush = Some(flush));
            slots.iter().filter_map(&mut wait).count()
        };
        if pending == 0 {
            return FlushStep::DONE;
        }
        let (promise, resolved) = promise();
        self.cached_flushes.borrow_mut().insert(flush, (pending, promise));
        FlushStep::later(resolved)
    }

    /// Sends the round, unless it is held. Returns the tasks of its parts.
    fn send(self: &Rc<Self>) -> Vec<AsyncTask<()>> {
        // Without deadlines, the time does not matter.
        let is_timed = self.is_timed.get() || self.settings.borrow().timeout.is_some();
        let now = if is_timed { settings::now() } else { 0 };
        {
            let mut machine = self.machine.borrow_mut();
            match machine.round_deadline() {
                Some(deadline) if deadline <= now => machine.round_late(now),
                _ => machine.round_ready(now),
            }
        }
        self.perform();
        let started = self.start_claims();
        self.end_hold();
        started
    }

    /// Starts the parts that claim permits. Returns their tasks.
    pub(super) fn start_claims(self: &Rc<Self>) -> Vec<AsyncTask<()>> {
        self.take_claims().into_iter().filter_map(|part| self.start(part)).collect()
    }

    fn group_limit(&self) -> Option<Rc<Limit>> {
        self.settings.borrow().group.as_ref().and_then(Membership::limit)
    }

    /// Returns the limits of a part, always in the same order, so that no two parts wait for each other.
    fn limits(&self) -> Vec<Rc<Limit>> {
        let group = self.group_limit();
        if self.fetch.is_async() {
            let own = self.settings.borrow().limit.clone();
            own.into_iter().chain(group).chain(limit::of_thread()).collect()
        } else {
            group.into_iter().collect()
        }
    }

    /// Starts a part. Returns its task, if it waits for something.
    fn start(self: &Rc<Self>, id: PartId) -> Option<AsyncTask<()>> {
        let limits = self.limits();
        if limits.is_empty() {
            let mut part = Part::new(self, id, None);
            let answer = part.call()?;
            return Some(self.start_task(id, |_| Box::pin(part.finish(answer))));
        }
        Some(self.start_task(id, |task| {
            let (promise, permits) = promise();
            let strict = self.group_limit();
            let claim = Claim::new(limits, strict.as_deref(), task, move || promise.set_value(()));
            Box::pin(Part::new(self, id, Some(claim)).run(permits))
        }))
    }

    fn start_task(
        &self,
        id: PartId,
        start: impl FnOnce(TaskId) -> Pin<Box<dyn Future<Output = ()>>>,
    ) -> AsyncTask<()> {
        let function = self.settings.borrow().function;
        let (flight, task) = Flight::start(function, self.at, start);
        let part_task = PartTask {
            task: WeakTask::of(&task),
            id: task.register(),
            creator: task.as_creator(),
            flight: Rc::downgrade(&flight),
        };
        self.tasks.borrow_mut().insert(id, part_task);
        task
    }

    /// Returns the tasks of the parts that have, or will have, one of these slots.
    fn tasks_of(self: &Rc<Self>, slots: &[SlotId]) -> Vec<AsyncTask<()>> {
        if slots.is_empty() {
            return Vec::new();
        }
        let tasks = self.find_tasks(slots);
        if !tasks.is_empty() || !slots.iter().any(|&slot| self.is_unsent(slot)) {
            return tasks;
        }
        // The flush that had claimed permits for them was given up.
        let _started = self.send();
        self.find_tasks(slots)
    }

    fn is_unsent(&self, slot: SlotId) -> bool {
        let machine = self.machine.borrow();
        machine.is_pending(slot) && machine.part_of(slot).is_none()
    }

    fn find_tasks(self: &Rc<Self>, slots: &[SlotId]) -> Vec<AsyncTask<()>> {
        let machine = self.machine.borrow();
        let mut parts: Vec<_> = slots.iter().filter_map(|&slot| machine.part_of(slot)).collect();
        parts.dedup();
        let is_unsent = |slot| machine.is_pending(slot) && machine.part_of(slot).is_none();
        let unsent = slots.iter().filter(|&&slot| is_unsent(slot)).count();
        let is_held = unsent > 0 && machine.round_deadline().is_some();
        if unsent > 0 {
            // The keys of a flush are the last ones in the queue.
            let size = machine.settings().max_batch_size;
            let last = unsent.div_ceil(size).saturating_add(1);
            let waiting: Vec<_> = machine.waiting_parts().collect();
            parts.extend(&waiting[waiting.len().saturating_sub(last)..]);
        }
        drop(machine);
        let holding = is_held.then(|| self.holding());
        let tasks = self.tasks.borrow();
        let task = |part| tasks.get(&part)?.task.upgrade();
        parts.into_iter().filter_map(task).chain(holding).collect()
    }
}
