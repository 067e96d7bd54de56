//! A loader in the single-threaded scheduler.
//!
//! There the loads of a thread that wait for keys are items of a batch of the engine, so that its order and its
//! priorities hold for them. The flush of that batch sends the open round of the loader, whoever else has loaded
//! in it. An item has no value: it only says that its key is resolved.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, Pending, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::entry::EntryId;
use super::key::Key;
use super::shared::Shared;
use super::state::Status;
use crate::batch::{Batch, BatchItem, Flush, FlushStep, Items, Source};
use crate::futures::FutureBase;
use crate::scheduler::{self, Request, Requester, Scheduler, WokenByThread, woken_by_thread};

thread_local! {
    /// Hosts of this thread, by the ids of their loaders.
    static HOSTS: RefCell<HashMap<u64, Rc<dyn AnyHost>, RandomState>> = RefCell::default();
}

trait AnyHost {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
    fn is_unused(&self) -> bool;
}

/// A loader in the scheduler of one thread.
struct Host<K: Key + Send + Sync, V: Clone + Send + 'static> {
    round: Source<HostBatch<K, V>>,
    /// Batches of cached keys.
    cached: Source<HostBatch<K, V>>,
    items: Rc<RefCell<HostItems<K, V>>>,
    loader: Weak<Shared<K, V>>,
}

type HostItems<K, V> = HashMap<EntryId, BatchItem<HostBatch<K, V>>, RandomState>;

/// The loads of one thread that wait for keys, as a batch of the engine.
struct HostBatch<K: Key + Send + Sync, V: Clone + Send + 'static> {
    loader: Weak<Shared<K, V>>,
    items: std::rc::Weak<RefCell<HostItems<K, V>>>,
    /// For cached keys: the source of the others.
    round: Option<Source<Self>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> AnyHost for Host<K, V> {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn is_unused(&self) -> bool {
        self.loader.strong_count() == 0
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Host<K, V> {
    /// Returns the host of a loader on this thread.
    fn of(shared: &Arc<Shared<K, V>>) -> Rc<Self> {
        let found = HOSTS.with_borrow(|hosts| hosts.get(&shared.id).cloned());
        let found = found.and_then(|host| host.as_any().downcast().ok());
        found.unwrap_or_else(|| {
            let host = Rc::new(Self::new(shared));
            let unused = HOSTS.with_borrow_mut(|hosts| {
                let is_unused = |host: &Rc<dyn AnyHost>| host.is_unused();
                let unused: Vec<_> = if hosts.len().is_power_of_two() {
                    hosts.extract_if(|_, host| is_unused(host)).collect()
                } else {
                    Vec::new()
                };
                hosts.insert(shared.id, Rc::clone(&host) as Rc<dyn AnyHost>);
                unused
            });
            drop(unused);
            host
        })
    }

    fn new(shared: &Arc<Shared<K, V>>) -> Self {
        let (items, loader) = (Rc::<RefCell<HostItems<K, V>>>::default(), Arc::downgrade(shared));
        let batch =
            |round| HostBatch { loader: loader.clone(), items: Rc::downgrade(&items), round };
        let round = Source::new_at(batch(None), shared.at);
        let cached = Source::new_at(batch(Some(round.clone())), shared.at);
        Self { round, cached, items, loader }
    }

    /// Calls `f` with the item of a pending key.
    fn with_item<R>(
        &self,
        shared: &Shared<K, V>,
        entry: EntryId,
        f: impl FnOnce(&mut BatchItem<HostBatch<K, V>>) -> R,
    ) -> R {
        let found = self.items.borrow_mut().remove(&entry);
        let mut item = found.filter(|item| !item.is_computed()).unwrap_or_else(|| {
            match shared.status(entry) {
                Some(Status::Cached(_)) => self.cached.item(entry),
                status => {
                    let item = self.round.item(entry);
                    if let Some(delay) = shared.max_delay() {
                        // It may have filled a part.
                        let is_sent = matches!(status, Some(Status::Sent));
                        item.flush_after(if is_sent { Duration::ZERO } else { delay });
                    }
                    item
                }
            }
        });
        let result = f(&mut item);
        self.items.borrow_mut().insert(entry, item);
        result
    }
}

/// Makes the running task wait for a key. Returns `true`.
pub(super) fn request<K, V>(
    shared: &Arc<Shared<K, V>>,
    entry: EntryId,
    requester: &Requester<'_>,
) -> bool
where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    Host::of(shared).with_item(shared, entry, |item| item.request(requester))
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
    Host::of(shared).with_item(shared, entry, |item| item.on_computed(callback));
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Batch for HostBatch<K, V> {
    type Key = EntryId;
    type Value = ();
    type Flush = Sending;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Sending {
        let Some(shared) = self.loader.upgrade() else { return Sending::Done };
        let mut wait = Wait { shared, batch: self, items, waits: Vec::new(), elsewhere: None };
        wait.send();
        if wait.take_resolved() {
            return Sending::Done;
        }
        Sending::Later(Box::pin(wait.run()))
    }

    fn name(&self) -> String {
        self.loader.upgrade().map(|shared| shared.name()).unwrap_or_default()
    }

    fn priority(&self) -> i64 {
        if self.round.is_some() {
            // Cached keys find out first which keys are sent in their step.
            return i64::MAX;
        }
        let settings = self.loader.upgrade().and_then(|shared| shared.settings());
        settings.map_or(0, |settings| settings.priority)
    }
}

/// Return type of the flush.
enum Sending {
    Done,
    Later(Pin<Box<dyn Future<Output = ()>>>),
}

impl Flush for Sending {
    fn into_step(self) -> FlushStep {
        match self {
            Self::Done => FlushStep::Done(Ok(())),
            Self::Later(rest) => FlushStep::Later(Box::pin(async move {
                rest.await;
                Ok(())
            })),
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Done) { "Done" } else { "Later" })
    }
}

/// The wait of a flush for its keys.
struct Wait<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Arc<Shared<K, V>>,
    batch: Rc<HostBatch<K, V>>,
    items: Items<HostBatch<K, V>>,
    /// Pending items: index, key, place of the waker.
    waits: Vec<(usize, EntryId, Option<usize>)>,
    /// Marks the scheduler as waiting for another thread.
    elsewhere: Option<WokenByThread<Pending<()>>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Wait<K, V> {
    /// Sends the round, or resolves the cached keys.
    fn send(&mut self) {
        let entries = self.items.keys().iter().copied().enumerate();
        self.waits = entries.map(|(index, entry)| (index, entry, None)).collect();
        let statuses = self.waits.iter().filter_map(|(_, entry, _)| self.shared.status(*entry));
        match &self.batch.round {
            Some(round) => {
                let cached = statuses.filter_map(|status| match status {
                    Status::Cached(slot) => Some(slot),
                    Status::Unsent | Status::Sent => None,
                });
                let (cached, with_round) = (cached.collect(), round.is_driven());
                self.shared.resolve_cached(cached, with_round);
            }
            None => {
                if statuses.into_iter().any(|status| matches!(status, Status::Unsent)) {
                    self.shared.send_now();
                }
            }
        }
    }

    /// Resolves the items whose keys are resolved. Returns whether all are.
    fn take_resolved(&mut self) -> bool {
        let entries: Vec<_> = self.waits.iter().map(|&(_, entry, _)| entry).collect();
        let mut pending = self.shared.are_pending(&entries).into_iter();
        let resolved = self.waits.extract_if(.., |_| pending.next() == Some(false));
        for (index, entry, _) in resolved.collect::<Vec<_>>() {
            self.items.set_value_at(index, ());
            let item =
                self.batch.items.upgrade().and_then(|items| items.borrow_mut().remove(&entry));
            drop(item);
        }
        self.waits.is_empty()
    }

    async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.take_resolved() {
                self.elsewhere = None;
                return Poll::Ready(());
            }
            for (_, entry, place) in &mut self.waits {
                if let Some((registered, _)) = self.shared.register(*entry, *place, cx.waker()) {
                    *place = Some(registered);
                }
            }
            // A call that blocks its thread makes everything go on that it waits for.
            let blocks = scheduler::with(Scheduler::blocks_thread);
            if !self.shared.poll_jobs(cx.waker(), blocks) {
                break;
            }
        }
        if self.shared.runs_elsewhere() {
            let wait = self.elsewhere.get_or_insert_with(|| woken_by_thread(pending()));
            let _ = Pin::new(wait).poll(cx);
        } else {
            self.elsewhere = None;
        }
        if self.take_resolved() { Poll::Ready(()) } else { Poll::Pending }
    }
}
