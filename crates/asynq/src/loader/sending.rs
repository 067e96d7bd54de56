//! The open round of a loader, as those who wait for it send it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use asynq_loader::{Settle, SlotId};

use super::entry::Status;
use super::id::EntryId;
use super::job::Job;
use super::key::Key;
use super::runtime::{self, Runtime, RuntimeId};
use super::settings;
use super::shared::{Calls, Shared};
use super::state::State;
use crate::recording::SentFor;
use crate::request::current::Round;

/// # Sending
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    /// Sends the open round, as a scheduler which knows that nothing else can run.
    fn send_now(&self) {
        let now = settings::now();
        let _reason = SentFor::current();
        self.change(Calls::Here, |state| match state.machine.round_deadline() {
            Some(deadline) if deadline <= now => {
                SentFor::is_late();
                state.machine.round_late(now);
            }
            _ => state.machine.round_ready(now),
        });
    }

    /// Sends the open round, if it has one of these keys.
    pub(super) fn send_keys(&self, entries: &[EntryId]) {
        let is_unsent = |state: &State<K, V>, entry| state.status(entry) == Some(Status::Unsent);
        let are_unsent =
            |state: &mut State<K, V>| entries.iter().any(|&entry| is_unsent(state, entry));
        if self.with(are_unsent) == Some(true) {
            self.send_now();
        }
    }

    /// Resolves cached keys, with the keys of the open round if the same step waits for these.
    pub(super) fn resolve_cached_keys(&self, entries: &[EntryId], with_round: bool) {
        self.change(Calls::Here, |state| {
            let entries = entries.iter().filter_map(|&entry| state.entries.get(entry));
            let cached = entries.filter(|entry| entry.pending == Some(Status::Cached));
            let slots = cached.map(|entry| entry.slot).collect();
            state.machine.cached_slots_ready(slots, with_round);
        });
    }

    /// Makes somebody send the round for a load that is polled outside of requests and tasks. `count` is that of the
    /// load. Returns whether the load is to be polled again, when everything else has run.
    pub(super) fn send_outside(&self, cached: Option<SlotId>, count: &mut Settle) -> bool {
        let Some(runtime) = Runtime::current().map(|runtime| runtime.id()) else {
            return self.send_in_place(cached, count);
        };
        let starts = self.change(Calls::InJobs, |state| {
            let outside = &mut state.outside;
            outside.has_keys |= cached.is_none();
            outside.cached.extend(cached);
            outside.add_sender(runtime)
        });
        if starts == Some(true) {
            let sender = Sender { shared: self.this(), runtime, has_sent: false };
            let job = Job::start(send_when_settled(sender));
            if job.is_refused() {
                job.cancel();
                return self.send_in_place(cached, count);
            }
        }
        false
    }

    /// Sends the round for the loads outside of requests, since the runtime that would do so stands still.
    pub(super) fn send_waiting(&self) {
        let now = settings::now();
        self.change(Calls::Here, |state| {
            let cached = std::mem::take(&mut state.outside.cached);
            let has_keys = std::mem::take(&mut state.outside.has_keys);
            state.machine.cached_slots_ready(cached, has_keys);
            if has_keys {
                state.machine.round_settled(now);
            }
        });
    }

    /// Sends the round for a load that no runtime could send it for.
    fn send_in_place(&self, cached: Option<SlotId>, count: &mut Settle) -> bool {
        let now = settings::now();
        let settled = self.change(Calls::Here, |state| {
            if let Some(slot) = cached {
                // It waits for the round that is open in its step.
                let with_round = state.machine.unsent() > 0;
                state.machine.cached_slots_ready(vec![slot], with_round);
                return true;
            }
            let settled = state.machine.turn(count);
            if settled {
                state.machine.round_settled(now);
            }
            settled
        });
        settled == Some(false)
    }
}

/// The duty to send the round for loads outside of requests.
struct Sender<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Arc<Shared<K, V>>,
    runtime: RuntimeId,
    has_sent: bool,
}

async fn send_when_settled<K, V>(mut sender: Sender<K, V>)
where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    let shared = &sender.shared;
    let mut count = Settle::default();
    loop {
        let watch = |cx: &mut Context<'_>| shared.waking.watch(cx.waker());
        poll_fn(|cx| if watch(cx) { Poll::Pending } else { Poll::Ready(()) }).await;
        if shared.with(|state| state.machine.turn(&mut count)) != Some(false) {
            break;
        }
        runtime::turn().await;
    }
    let now = settings::now();
    shared.change(Calls::Here, |state| {
        sender.has_sent = true;
        state.outside.remove_sender(sender.runtime);
        let cached = std::mem::take(&mut state.outside.cached);
        let has_keys = std::mem::take(&mut state.outside.has_keys);
        state.machine.cached_slots_ready(cached, has_keys);
        if has_keys {
            state.machine.round_settled(now);
        }
    });
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Drop for Sender<K, V> {
    /// Lets another load send the round, if the runtime has ended before.
    fn drop(&mut self) {
        if self.has_sent {
            return;
        }
        self.shared.change(Calls::InJobs, |state| {
            state.outside.remove_sender(self.runtime);
            if state.outside.has_keys || !state.outside.cached.is_empty() {
                state.wake_all();
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Round for Shared<K, V> {
    fn turn(&self, count: &mut Settle) -> bool {
        self.with(|state| state.machine.turn(count)).unwrap_or(true)
    }

    fn watch_waking(&self, waker: &Waker) -> bool {
        self.waking.watch(waker)
    }

    fn wake(&self) {
        self.change(Calls::InJobs, State::wake_all);
    }

    fn send(&self, has_keys: bool, cached: Vec<SlotId>) {
        let now = settings::now();
        self.change(Calls::Here, |state| {
            if !cached.is_empty() {
                state.machine.cached_slots_ready(cached, has_keys);
            }
            if has_keys {
                state.machine.round_settled(now);
            }
        });
    }
}
