//! The steps of sources, loaders and their batches in the log of a thread.

use asynq_engine::{BatchId, ItemId};
use asynq_explain::{How, Reason};

use super::session::{Loaded, LoaderKey};
use super::step::{At, Load, Need, Place, Step};
use super::tables::{Batch, Task};
use super::thread_log::{Call, Flushing, ThreadLog, one_line, small};
use crate::call_stack::Site;

/// Function of code outside of tasks.
static OUTSIDE: Site = Site::new("code outside of tasks");

/// A key that is asked for.
#[derive(Clone, Copy)]
pub(super) struct KeyAsked<'a> {
    pub(super) at: Option<Place>,
    pub(super) hash: Option<u64>,
    pub(super) text: Option<&'a str>,
    pub(super) how: How,
    /// The load whose value it shares.
    pub(super) of: u32,
}

/// # Batches of sources
impl ThreadLog {
    pub(super) fn begin_flush(
        &mut self,
        id: BatchId,
        priority: i64,
        (function, at): (&'static Site, Place),
        reason: Option<Reason>,
    ) {
        let reason = reason.unwrap_or_else(|| self.reason());
        let Some(batch) = self.batches.get_mut(id).filter(|_| self.samples) else { return };
        if batch.is_quiet {
            self.flushing = Flushing::Quiet;
            return;
        }
        let (loads, source) = (batch.loads.clone().into_boxed_slice(), batch.source);
        let number = self.new_id();
        self.clock.read(&self.session);
        self.push(Step::Sent {
            batch: number,
            thread: self.thread(),
            source,
            keys: small(loads.len()),
            loads,
            priority,
            reason,
            call: Some(small(self.calls.len() - 1)),
        });
        if let Some(batch) = self.batches.get_mut(id) {
            batch.sent = Some(number);
        }
        self.flushing = Flushing::Batch(number);
        self.begin_flush_function(number, function, at);
    }

    /// Notes that the flush goes on, as a task.
    pub(super) fn defer_flush(&mut self) {
        if let Flushing::Batch(number) = std::mem::replace(&mut self.flushing, Flushing::Nothing) {
            self.end_flush_function(number);
        }
    }

    /// Notes how a flush ends: the number of keys that failed, and the error of all of them.
    pub(super) fn fail_flush(&mut self, id: BatchId, failed: usize, error: Option<&str>) {
        if let Some(batch) = self.batches.get_mut(id) {
            let error = error.map_or(0, |error| self.session.state().text(one_line(error)));
            batch.failed = (small(failed), error);
        }
    }

    pub(super) fn end_flush(&mut self, id: BatchId) {
        self.flushing = Flushing::Nothing;
        if let Some(Batch { sent: Some(batch), failed: (failed, error), .. }) =
            self.batches.remove(id)
        {
            self.clock.read(&self.session);
            self.end_flush_function(batch);
            self.push(Step::Answer { batch, failed, error });
        }
    }

    /// Returns the reason for a flush that begins now.
    pub(super) fn reason(&self) -> Reason {
        match self.calls[..] {
            [.., Call { running: Some(_), .. }] => Reason::Asked,
            [_, _, _, ..] => Reason::Call,
            _ => Reason::Idle,
        }
    }

    /// Leaves out a batch, which sends nothing by itself.
    pub(super) fn ignore(&mut self, item: ItemId) {
        if let Some(batch) = self.batches.get_or_add(item.batch) {
            batch.is_quiet = true;
        }
    }

    /// Returns whether the source of a batch is known.
    pub(super) fn knows_source(&self, batch: BatchId) -> bool {
        self.batches.get(batch).is_some_and(|batch| batch.source != 0)
    }

    /// Sets the source of a batch.
    pub(super) fn set_source(&mut self, batch: BatchId, name: &str, place: Place) {
        let source = self.session.state().source(name, place);
        if let Some(batch) = self.batches.get_or_add(batch) {
            batch.source = source;
        }
    }

    /// Adds an item to a batch of a source.
    pub(super) fn add_item(&mut self, item: ItemId, key: KeyAsked<'_>) {
        if !self.samples {
            return;
        }
        let Some(source) = self.batches.get(item.batch).map(|batch| batch.source) else { return };
        let (load, _) = self.load(source, key);
        self.set_load(item, load);
    }

    /// Notes the load of an item.
    pub(super) fn set_load(&mut self, item: ItemId, load: u32) {
        let Some(batch) = self.batches.get_or_add(item.batch) else { return };
        let index = usize::try_from(item.index).unwrap_or(usize::MAX);
        if index == batch.loads.len() {
            batch.loads.push(load);
        } else {
            if index > batch.loads.len() {
                batch.loads.resize(index + 1, 0);
            }
            batch.loads[index] = load;
        }
    }

    /// Records a load. Returns its id, and its place.
    pub(super) fn load(&mut self, source: u32, key: KeyAsked<'_>) -> (u32, Option<At>) {
        let running = self.running();
        let KeyAsked { at, hash, text, how, of } = key;
        let id = self.new_id();
        let function = running.map_or(&OUTSIDE, |running| running.function);
        let at = at.map(|place| At { function, place });
        let text = text.map_or(0, |text| self.session.state().text(text));
        let task = running.map_or(0, |running| running.id);
        let thread = if running.is_some() { 0 } else { self.thread() };
        self.push(Step::Load(Load { id, task, at, source, hash, text, how, of, thread }));
        (id, at)
    }
}

/// # Loaders
impl ThreadLog {
    /// Returns the source of a loader.
    pub(super) fn loader(&mut self, loader: u64, name: impl Fn() -> String, at: Place) -> u32 {
        if let (last, source @ 1..) = self.last_loader
            && last == loader
        {
            return source;
        }
        let known = self.session.state().loaders.get(&loader).copied();
        // The name is behind a lock of the loader, inside of which batches are recorded.
        let source = known.unwrap_or_else(|| {
            let name = name();
            self.session.state().loader(loader, &name, at)
        });
        self.last_loader = (loader, source);
        source
    }

    /// Adds an item by which a task waits for a key of a loader.
    pub(super) fn join_load(&mut self, item: ItemId, key: LoaderKey, is_cached: bool) {
        self.ignore(item);
        let load = {
            let mut state = self.session.state();
            let load = state.loads.get_mut(&key).map_or(0, |load| {
                load.is_awaited = true;
                load.id
            });
            if is_cached {
                state.loads.remove(&key);
            }
            load
        };
        self.set_load(item, load);
    }

    /// Records that a task has got a value for which it did not have to wait, since another thread had sent the batch.
    pub(super) fn take_load(&mut self, key: LoaderKey) {
        let Some(load) = self.session.state().answered.remove(&key) else { return };
        let Some(Task { id: task, .. }) = self.running() else { return };
        self.clock.read(&self.session);
        let Loaded { id, at, .. } = load;
        self.push(Step::WaitForOne { task, at, need: Need::Load(id) });
        self.push(Step::Run { task });
    }
}
