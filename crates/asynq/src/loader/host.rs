//! A loader in the single-threaded scheduler.
//!
//! There the loads of a thread that wait for keys are items of a batch of the engine, so that its order and its
//! priorities hold for them. The flush of that batch sends the open round of the loader, whoever else has loaded
//! in it. An item has no value: it only says that its key is resolved.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use asynq_engine::ItemId;
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::entry::{ItemPlace, Status};
use super::host_batch::HostBatch;
use super::id::{EntryId, HostId};
use super::key::Key;
use super::shared::Shared;
use crate::batch::{BatchHandle, Source};
use crate::recording;
use crate::scheduler::{self, Requester};

thread_local! {
    /// Hosts of this thread.
    static HOSTS: RefCell<Hosts> = RefCell::default();
}

#[derive(Default)]
struct Hosts {
    /// The host that was used last, with the id of its loader.
    last: Option<(u64, Rc<dyn Any>)>,
    /// All hosts, by the ids of their loaders.
    all: HashMap<u64, Kept, RandomState>,
}

/// A host, as its thread keeps it.
struct Kept {
    host: Rc<dyn Any>,
    loader: Weak<dyn Any + Send + Sync>,
}

/// A loader in the scheduler of one thread.
struct Host<K: Key + Send + Sync, V: Clone + Send + 'static> {
    id: HostId,
    keys: Lane<K, V>,
    cached: Lane<K, V>,
}

/// A source of batches, of which every item is a key.
struct Lane<K: Key + Send + Sync, V: Clone + Send + 'static> {
    source: Source<HostBatch<K, V>>,
    /// Batches that have not ended. The open one is last.
    batches: RefCell<Vec<BatchHandle<HostBatch<K, V>>>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Host<K, V> {
    /// Returns the host of a loader on this thread.
    #[inline(always)]
    fn of(shared: &Arc<Shared<K, V>>) -> Rc<Self> {
        let last = HOSTS.with_borrow(|hosts| match &hosts.last {
            Some((id, host)) if *id == shared.id => Some(Rc::clone(host)),
            _ => None,
        });
        let host = last.unwrap_or_else(|| Self::find(shared));
        host.downcast().unwrap_or_else(|_| unreachable!("a loader has one type"))
    }

    /// Returns the host of a loader that is not the last one.
    #[cold]
    fn find(shared: &Arc<Shared<K, V>>) -> Rc<dyn Any> {
        let found = HOSTS.with_borrow(|hosts| Some(Rc::clone(&hosts.all.get(&shared.id)?.host)));
        let host = found.unwrap_or_else(|| Self::open(shared));
        let last = (shared.id, Rc::clone(&host));
        drop(HOSTS.with_borrow_mut(|hosts| hosts.last.replace(last)));
        host
    }

    fn open(shared: &Arc<Shared<K, V>>) -> Rc<dyn Any> {
        let host = Rc::new(Self::new(shared)) as Rc<dyn Any>;
        let kept = Kept { host: Rc::clone(&host), loader: shared.downgrade() };
        let unused = HOSTS.with_borrow_mut(|hosts| {
            let is_unused = |kept: &Kept| kept.loader.strong_count() == 0;
            let unused: Vec<_> = if hosts.all.len().is_power_of_two() {
                hosts.all.extract_if(|_, kept| is_unused(kept)).collect()
            } else {
                Vec::new()
            };
            hosts.all.insert(shared.id, kept);
            unused
        });
        drop(unused);
        host
    }

    fn new(shared: &Arc<Shared<K, V>>) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let loader = Arc::downgrade(shared);
        let source = |round| Source::new_at(HostBatch { loader: loader.clone(), round }, shared.at);
        let keys = source(None);
        let cached = source(Some(keys.clone()));
        let id = HostId::new(id).unwrap_or(HostId::MAX);
        Self { id, keys: Lane::new(keys), cached: Lane::new(cached) }
    }

    /// Returns the item of a pending key, or `None` if the key is resolved.
    #[inline(always)]
    fn item(&self, shared: &Shared<K, V>, entry: EntryId) -> Option<ItemId> {
        loop {
            let Some(mut state) = shared.lock() else { shared.refuse_wait() };
            let max_delay = state.settings.max_delay;
            let known = state.entries.get_mut(entry)?;
            let status = known.pending?;
            if let Some(item) = known.item(self.id) {
                drop(state);
                if scheduler::with(|scheduler| !scheduler.engine().is_computed(item.into())) {
                    return Some(item);
                }
                shared.with(|state| state.remove_item(entry, self.id));
                continue;
            }
            let lane = if status == Status::Cached { &self.cached } else { &self.keys };
            let batches = lane.batches.borrow();
            if let Some(batch) = batches.last()
                && let Some(item) = batch.next_item()
            {
                known.add_item(ItemPlace { host: self.id, item });
                drop(state);
                recording::join_load(shared.id, entry, status == Status::Cached);
                batch.push(entry);
                if let Some(delay) = max_delay {
                    // It may have filled a part.
                    let is_sent = status == Status::Sent;
                    batch.flush_after(if is_sent { Duration::ZERO } else { delay });
                }
                return Some(item);
            }
            drop((batches, state));
            lane.open();
        }
    }

    /// Returns the batch of an item.
    fn batch(&self, item: ItemId) -> Option<BatchHandle<HostBatch<K, V>>> {
        self.keys.batch(item).or_else(|| self.cached.batch(item))
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Lane<K, V> {
    fn new(source: Source<HostBatch<K, V>>) -> Self {
        Self { source, batches: RefCell::default() }
    }

    #[cold]
    fn open(&self) {
        let open = self.source.open_batch();
        let ended: SmallVec<[_; 1]> = {
            let mut batches = self.batches.borrow_mut();
            let ended = batches.extract_if(.., |batch| batch.is_ended()).collect();
            batches.push(open);
            ended
        };
        drop(ended);
    }

    fn batch(&self, item: ItemId) -> Option<BatchHandle<HostBatch<K, V>>> {
        let batches = self.batches.borrow();
        batches.iter().rev().find(|batch| batch.has(item)).cloned()
    }
}

/// Makes the running task wait for a key. Returns whether it has to.
#[inline]
pub(super) fn request<K, V>(
    shared: &Arc<Shared<K, V>>,
    entry: EntryId,
    requester: &Requester<'_>,
) -> bool
where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    let host = Host::of(shared);
    let Some(item) = host.item(shared, entry) else { return false };
    if requester.waker.is_none() {
        return requester.scheduler.engine().depend(item);
    }
    host.batch(item).is_some_and(|batch| batch.request(item, requester))
}

/// Calls `callback` on this thread when a key is resolved.
pub(super) fn on_resolved<K, V>(
    shared: &Arc<Shared<K, V>>,
    entry: EntryId,
    callback: impl FnOnce() + 'static,
) where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    let host = Host::of(shared);
    let item = host.item(shared, entry);
    match item.and_then(|item| Some((item, host.batch(item)?))) {
        Some((item, batch)) => batch.on_computed(item, callback),
        None => callback(),
    }
}
