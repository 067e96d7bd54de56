//! A batch of the engine that sends the round of a loader.

use std::future::{Pending, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::id::EntryId;
use super::key::Key;
use super::shared::Shared;
use super::state::State;
use super::wakers::WaitId;
use crate::batch::{Batch, FlushStep, Items, Source};
use crate::call_stack::Site;
use crate::scheduler::{self, Scheduler, WokenByThread, woken_by_thread};

/// The loads of one thread that wait for keys, as a batch of the engine.
pub(super) struct HostBatch<K: Key + Send + Sync, V: Clone + Send + 'static> {
    pub(super) loader: Weak<Shared<K, V>>,
    /// For cached keys: the source of the others.
    pub(super) round: Option<Source<Self>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Batch for HostBatch<K, V> {
    type Key = EntryId;
    type Value = ();
    type Flush = FlushStep;

    fn is_recorded(&self) -> bool {
        false
    }

    fn flush_site(&self) -> &'static Site {
        static ENDED: Site = Site::made("flush of a loader");
        let settings = self.loader.upgrade().and_then(|shared| shared.settings());
        settings.map_or(&ENDED, |settings| settings.function)
    }

    fn flush(self: Rc<Self>, items: Items<Self>) -> FlushStep {
        let Some(shared) = self.loader.upgrade() else { return FlushStep::DONE };
        match &self.round {
            Some(round) => shared.resolve_cached_keys(items.keys(), round.is_driven()),
            None => shared.send_keys(items.keys()),
        }
        if shared.are_resolved(items.keys()) {
            items.set_all(|| ());
            return FlushStep::DONE;
        }
        let mut wait = Wait::new(shared, items);
        wait.take_resolved();
        FlushStep::later(wait.run())
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

/// The wait of a flush for its keys.
struct Wait<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Arc<Shared<K, V>>,
    items: Items<HostBatch<K, V>>,
    /// Pending items: index, key, registered waker.
    waits: Vec<(usize, EntryId, Option<WaitId>)>,
    /// Marks the scheduler as waiting for another thread.
    elsewhere: Option<WokenByThread<Pending<()>>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Wait<K, V> {
    fn new(shared: Arc<Shared<K, V>>, items: Items<HostBatch<K, V>>) -> Self {
        let waits = items.keys().iter().enumerate().map(|(index, &entry)| (index, entry, None));
        Self { shared, waits: waits.collect(), items, elsewhere: None }
    }

    /// Resolves the items whose keys are resolved. Returns whether all are.
    fn take_resolved(&mut self) -> bool {
        let is_pending = |state: &mut State<K, V>| {
            let is_pending = |&(_, entry, _): &_| state.status(entry).is_some();
            self.waits.iter().map(is_pending).collect::<Vec<_>>()
        };
        let mut pending = self.shared.with(is_pending).unwrap_or_default().into_iter();
        let resolved = self.waits.extract_if(.., |_| pending.next() == Some(false));
        for (index, ..) in resolved.collect::<Vec<_>>() {
            self.items.set_value_at(index, ());
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
            for (_, entry, wait) in &mut self.waits {
                let registered = self.shared.register(*entry, *wait, cx.waker());
                *wait = registered.map(|registered| registered.wait);
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
