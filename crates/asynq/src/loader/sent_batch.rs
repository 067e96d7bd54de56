//! How what a loader asks for goes out, and what comes back is given to its loads.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_timer::Delay;

use super::answer::Fetched;
use super::error::{LoadError, TimeoutError};
use super::fetch::Give;
use super::handle::{Key, Shared};
use super::keys::{Ask, Flushing, Keys};
use super::limit::{self, Limit};
use super::pending_keys::Round;
use super::stats::Flushed;
use crate::batch::{BoxError, Items};
use crate::call_stack::Site;
use crate::error::TaskError;
use crate::futures::all;
use crate::scheduler::{self, Scheduler};
use crate::task::AsyncTask;

/// What is left to do.
type Rest = Pin<Box<dyn Future<Output = ()>>>;

/// A round that went out, until all its parts have come back, or were given up.
pub(super) struct Flight<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
    round: Rc<Round<K, V>>,
    items: Items<Keys<K, V>>,
    /// How many parts have not come back.
    in_the_air: Cell<usize>,
}

impl<K: Key, V: Clone + 'static> Flight<K, V> {
    pub(super) fn begin(shared: &Rc<Shared<K, V>>, items: Items<Keys<K, V>>) -> Self {
        let round = shared.open.replace(Round::new());
        shared.in_flight.borrow_mut().push(Rc::clone(&round));
        Self { shared: Rc::clone(shared), round, items, in_the_air: Cell::new(0) }
    }

    pub(super) fn send(self: Rc<Self>) -> Flushing {
        let is_fresh = |index: &usize| self.items.keys()[*index].known.is_none();
        let fresh: Vec<_> = (0..self.items.len()).filter(is_fresh).collect();
        if fresh.is_empty() {
            self.give_known();
            return Flushing::Done;
        }
        let parts = fresh.chunks(self.shared.settings.borrow().max_batch_size);
        self.in_the_air.set(parts.len());
        let part = |indices: &[usize]| Part { flight: Rc::clone(&self), indices: indices.to_vec() };
        let mut rest: Vec<_> = parts.filter_map(|indices| part(indices).send()).collect();
        match rest.pop() {
            None => Flushing::Done,
            Some(only) if rest.is_empty() => Flushing::Later(only),
            Some(last) => {
                static BATCH: Site = Site::new("batch of a loader");
                let rest = rest.into_iter().chain([last]);
                let rest = all(rest.map(|rest| AsyncTask::with_site(&BATCH, rest)));
                Flushing::Later(Box::pin(async move { drop(rest.await) }))
            }
        }
    }

    /// A part has come back. With the last one comes what was kept, so that no task runs ahead.
    fn land(&self) {
        self.in_the_air.set(self.in_the_air.get() - 1);
        if self.in_the_air.get() == 0 {
            self.give_known();
        }
    }

    /// Gives their values to the loads of what was kept.
    fn give_known(&self) {
        for item in &self.items {
            if let Some(known) = &item.key().known {
                item.set_outcome(Result::clone(known));
            }
        }
    }
}

impl<K: Key, V: Clone + 'static> Drop for Flight<K, V> {
    fn drop(&mut self) {
        self.shared.in_flight.borrow_mut().retain(|round| !Rc::ptr_eq(round, &self.round));
    }
}

/// No more keys than a batch may have, of what was asked for together. Whatever becomes of it, the
/// others are not concerned.
struct Part<K: Key, V: Clone + 'static> {
    flight: Rc<Flight<K, V>>,
    indices: Vec<usize>,
}

impl<K: Key, V: Clone + 'static> Part<K, V> {
    fn keys(&self) -> Vec<&K> {
        let asks = self.flight.items.keys();
        self.indices.iter().map(|&index| &asks[index].key).collect()
    }

    /// Calls the function, when that is allowed.
    fn send(self) -> Option<Rest> {
        if !self.flight.shared.fetch.is_async() {
            return self.call(); // It is over before anything else can be in flight.
        }
        let own = self.flight.shared.settings.borrow().in_flight.clone();
        let limits: Vec<_> = own.into_iter().chain(limit::of_thread()).collect();
        if limits.is_empty() {
            return self.call();
        }
        Some(Box::pin(async move {
            // Always in this order, so that no two wait for each other.
            let mut permits = Vec::new();
            for limit in limits {
                permits.push(Limit::acquire(limit).await);
            }
            if let Some(rest) = self.call() {
                rest.await;
            }
        }))
    }

    fn call(self) -> Option<Rest> {
        let keys: Vec<K> = self.keys().into_iter().cloned().collect();
        let shared = &self.flight.shared;
        let (before, timeout) = {
            let settings = shared.settings.borrow();
            (settings.before.clone(), settings.timeout)
        };
        let mut since = Instant::now();
        let fetched = catch_unwind(AssertUnwindSafe(|| {
            for hook in before {
                hook(&keys);
            }
            since = Instant::now();
            shared.fetch.call(keys)
        }));
        match fetched {
            Ok(Fetched::Later(answer)) => Some(Box::pin(async move {
                let came = match timeout {
                    Some(after) => caught(within(after, answer)).await,
                    None => caught(answer).await.map(Ok),
                };
                self.end(came, since);
            })),
            Ok(Fetched::Now(give)) => {
                self.end(Ok(Ok(give)), since);
                None
            }
            Err(payload) => {
                self.end(Err(payload), since);
                None
            }
        }
    }

    /// Gives each load its value or error. `came` is what came back, or the payload of a panic.
    fn end(&self, came: thread::Result<Result<Give<K, V>, TimeoutError>>, since: Instant) {
        let given = came.and_then(|came| match came {
            Ok(give) => catch_unwind(AssertUnwindSafe(|| self.deliver(give))),
            Err(late) => Ok(Err(late.into())),
        });
        let time = since.elapsed();
        let (shared, keys) = (&self.flight.shared, self.keys());
        shared.count(|stats| {
            stats.batches += 1;
            stats.keys += keys.len();
            stats.largest = stats.largest.max(keys.len());
            stats.time += time;
        });
        let failure = match given {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Error(error.into())),
            Err(payload) => Some(Failure::panic(payload)),
        };
        if let Some(failure) = &failure {
            self.fail(failure);
        }
        self.flight.land();
        let after = shared.settings.borrow().after.clone();
        let flushed = Flushed { keys: &keys, time, error: failure.as_ref().map(Failure::error) };
        for hook in after {
            // Its batch went well.
            drop(catch_unwind(AssertUnwindSafe(|| hook(&flushed))));
        }
    }

    fn deliver(&self, give: Give<K, V>) -> Result<(), BoxError> {
        let keys = self.keys();
        let default = self.flight.shared.settings.borrow().default.clone();
        give(&keys, &mut |part, outcome| {
            let outcome = match (outcome, &default) {
                (Some(Ok(value)), _) => Ok(value),
                (Some(Err(error)), _) => {
                    Err(LoadError::Failed { key: name(keys[part]), error: error.into() })
                }
                (None, Some(default)) => Ok(default(keys[part])),
                (None, None) => Err(LoadError::Missing { key: name(keys[part]) }),
            };
            let item = self.flight.items.item(self.indices[part]);
            self.keep(item.key(), &outcome);
            item.set_outcome(outcome);
        })
    }

    /// Keeps what came back where somebody wants it.
    fn keep(&self, ask: &Ask<K, V>, outcome: &Result<V, LoadError>) {
        let round = &self.flight.round;
        if (ask.place.is_none() && !round.has_places())
            || (outcome.is_err() && !self.flight.shared.settings.borrow().keeps_errors)
        {
            return;
        }
        let Some(others) = round.places(&ask.key) else { return };
        for place in ask.place.iter().chain(&others) {
            place.borrow_mut().insert(ask.key.clone(), outcome.clone());
        }
    }

    /// The batch has failed: so have its loads. That is not kept: it is no fault of a key.
    fn fail(&self, failure: &Failure) {
        for &index in &self.indices {
            let item = self.flight.items.item(index);
            // A panic may have come when some had their values.
            if !item.is_pending() {
                continue;
            }
            match failure {
                Failure::Panic(panic) => item.set_panic(panic.clone()),
                Failure::Error(error) => {
                    let key = name(&item.key().key);
                    item.set_error(LoadError::Failed { key, error: Arc::clone(error) });
                }
            }
        }
    }
}

/// Why a batch has failed as a whole.
enum Failure {
    Error(Arc<dyn Error + Send + Sync>),
    Panic(TaskError),
}

impl Failure {
    fn panic(payload: Box<dyn Any + Send>) -> Self {
        let stack = || scheduler::with(Scheduler::stack).unwrap_or_default();
        Self::Panic(TaskError::from_panic(payload, stack))
    }

    fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Error(error) => &**error,
            Self::Panic(panic) => panic,
        }
    }
}

fn name(key: &impl fmt::Debug) -> String {
    format!("{key:?}")
}

/// What `future` gives, or the payload of its panic.
async fn caught<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// What `future` gives if it does so in time.
async fn within<F: Future + Unpin>(
    time: Duration,
    mut future: F,
) -> Result<F::Output, TimeoutError> {
    let mut delay = Delay::new(time);
    poll_fn(move |cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => Pin::new(&mut delay).poll(cx).map(|()| Err(TimeoutError { after: time })),
    })
    .await
}
