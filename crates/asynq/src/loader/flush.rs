//! How the batches of a loader go out, and what comes back is given to its loads.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_timer::Delay;

use super::answer::{Answer, Fetched, Returned};
use super::cache::Place;
use super::error::{LoadError, TimeoutError};
use super::limit::{self, Limit};
use super::round::Round;
use super::stats::Flushed;
use super::{Key, Shared};
use crate::batch::{Batch, BoxError, Flush, FlushStep, Items};
use crate::join::all;
use crate::stack::Site;
use crate::task::AsyncTask;

/// Gives the keys of a batch, by their places, what was returned for them.
pub(super) type Give<K, V> = Box<
    dyn FnOnce(&[&K], &mut dyn FnMut(usize, Option<Result<V, BoxError>>)) -> Result<(), BoxError>,
>;

type Call<K, V> = Box<dyn Fn(Vec<K>) -> Fetched<Give<K, V>>>;

/// The batch function.
pub(super) struct Fetch<K, V> {
    call: Call<K, V>,
    is_async: bool,
}

pub(super) fn fetch<K, V, W, Kind, R>(
    function: impl Fn(Vec<K>) -> R + 'static,
    convert: impl Fn(W) -> Result<V, BoxError> + Copy + 'static,
) -> Fetch<K, V>
where
    R: Returned<K, Kind, Answer: Answer<K, Value = W>>,
{
    let give = move |answer: R::Answer| -> Give<K, V> {
        Box::new(move |keys, give| {
            answer.give(keys, &mut |place, value| give(place, value.map(convert)))
        })
    };
    let call = move |keys| match function(keys).into_fetched() {
        Fetched::Now(answer) => Fetched::Now(give(answer)),
        Fetched::Later(answer) => Fetched::Later(Box::pin(async move { give(answer.await) })),
    };
    Fetch { call: Box::new(call), is_async: R::IS_ASYNC }
}

/// The [`Batch`] of a [`Loader`](super::Loader).
pub struct Keys<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
}

/// One key that was asked for.
pub struct Ask<K, V> {
    pub(super) key: K,
    /// What it has already: then it only goes with the others.
    pub(super) known: Option<Box<Result<V, LoadError>>>,
    /// Where to keep its value.
    pub(super) place: Option<Place<K, V>>,
}

/// What a flush of a loader returns.
pub enum Flushing {
    Done,
    Later(Pin<Box<dyn Future<Output = ()>>>),
}

impl Flush for Flushing {
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

impl<K: Key, V: Clone + 'static> Keys<K, V> {
    pub(super) fn new(shared: Rc<Shared<K, V>>) -> Self {
        Self { shared }
    }
}

impl<K: Key, V: Clone + 'static> Batch for Keys<K, V> {
    type Key = Ask<K, V>;
    type Value = V;
    type Flush = Flushing;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Flushing {
        // First of all: what is asked for from now on is of another round.
        let flight = Rc::new(Flight::begin(&self.shared, items));
        let is_fresh = |index: &usize| flight.items.keys()[*index].known.is_none();
        let fresh: Vec<_> = (0..flight.items.len()).filter(is_fresh).collect();
        let size = self.shared.settings.borrow().max_batch_size;
        let parts = fresh
            .chunks(size)
            .map(|indices| Part { flight: Rc::clone(&flight), indices: indices.to_vec() });
        let mut later = Vec::new();
        let mut panic = None;
        for part in parts {
            // A panic in one part keeps no other from going out.
            match catch_unwind(AssertUnwindSafe(|| part.send())) {
                Ok(rest) => later.extend(rest),
                Err(payload) => panic = panic.or(Some(payload)),
            }
        }
        if later.is_empty() {
            flight.give_known();
            if let Some(payload) = panic {
                resume_unwind(payload);
            }
            return Flushing::Done;
        }
        if let Some(payload) = panic {
            later.push(Box::pin(async move { resume_unwind(payload) }));
        }
        let parts: Pin<Box<dyn Future<Output = ()>>> = match later.pop() {
            Some(only) if later.is_empty() => only,
            last => {
                static BATCH: Site = Site::new("batch of a loader");
                let parts = later.into_iter().chain(last);
                let parts = all(parts.map(|part| AsyncTask::with_site(&BATCH, part)));
                Box::pin(async move { drop(parts.await) })
            }
        };
        Flushing::Later(Box::pin(async move {
            // With the others, so that no task runs ahead, also where those have failed.
            let ended = caught(parts).await;
            flight.give_known();
            if let Err(payload) = ended {
                resume_unwind(payload);
            }
        }))
    }

    fn name(&self) -> String {
        self.shared.settings.borrow().name.to_string()
    }

    fn priority(&self) -> i64 {
        self.shared.settings.borrow().priority
    }
}

impl<K: Key, V: Clone + 'static> fmt::Debug for Keys<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.name())
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Ask<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}

impl fmt::Debug for Flushing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Done) { "Done" } else { "Later" })
    }
}

/// A round that went out, until all its parts have come back, or were given up.
struct Flight<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
    round: Rc<Round<K, V>>,
    items: Items<Keys<K, V>>,
}

impl<K: Key, V: Clone + 'static> Flight<K, V> {
    fn begin(shared: &Rc<Shared<K, V>>, items: Items<Keys<K, V>>) -> Self {
        let round = shared.open.replace(Round::new());
        shared.in_flight.borrow_mut().push(Rc::clone(&round));
        Self { shared: Rc::clone(shared), round, items }
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

/// No more keys than a batch may have, of what was asked for together.
struct Part<K: Key, V: Clone + 'static> {
    flight: Rc<Flight<K, V>>,
    indices: Vec<usize>,
}

impl<K: Key, V: Clone + 'static> Part<K, V> {
    fn keys(&self) -> Vec<&K> {
        let asks = self.flight.items.keys();
        self.indices.iter().map(|&index| &asks[index].key).collect()
    }

    /// Calls the function. Returns what is left to do.
    fn send(self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        if !self.flight.shared.fetch.is_async {
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

    fn call(self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let keys: Vec<K> = self.keys().into_iter().cloned().collect();
        let (before, timeout) = {
            let settings = self.flight.shared.settings.borrow();
            (settings.before.clone(), settings.timeout)
        };
        for hook in before {
            hook(&keys);
        }
        let since = Instant::now();
        match (self.flight.shared.fetch.call)(keys) {
            Fetched::Now(give) => {
                self.deliver(Ok(give), since);
                None
            }
            Fetched::Later(answer) => Some(Box::pin(async move {
                let give = match timeout {
                    Some(after) => within(after, answer).await.ok_or(TimeoutError { after }),
                    None => Ok(answer.await),
                };
                self.deliver(give, since);
            })),
        }
    }

    /// Gives each load its value or error. `give` is what came back.
    fn deliver(&self, give: Result<Give<K, V>, TimeoutError>, since: Instant) {
        let (shared, keys) = (&self.flight.shared, self.keys());
        let given: Result<(), BoxError> = match give {
            Ok(give) => {
                let default = shared.settings.borrow().default.clone();
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
            Err(error) => Err(error.into()),
        };
        let time = since.elapsed();
        shared.count(|stats| {
            stats.batches += 1;
            stats.keys += keys.len();
            stats.largest = stats.largest.max(keys.len());
            stats.time += time;
        });
        // The failure is that of the batch, not of a key: it is not kept.
        let failure: Option<Arc<dyn Error + Send + Sync>> = given.err().map(Arc::from);
        if let Some(error) = &failure {
            for (&index, key) in self.indices.iter().zip(&keys) {
                let error = LoadError::Failed { key: name(key), error: Arc::clone(error) };
                self.flight.items.item(index).set_outcome(Err(error));
            }
        }
        let after = shared.settings.borrow().after.clone();
        let error = failure.as_deref().map(|error| error as &(dyn Error + 'static));
        let flushed = Flushed { keys: &keys, time, error };
        for hook in after {
            hook(&flushed);
        }
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
}

fn name(key: &impl fmt::Debug) -> String {
    format!("{key:?}")
}

/// What `future` gives, or the payload of its panic.
async fn caught<F: Future + Unpin>(mut future: F) -> thread::Result<F::Output> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut future).poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// What `future` gives if it does so in time.
async fn within<F: Future + Unpin>(time: Duration, mut future: F) -> Option<F::Output> {
    let mut delay = Delay::new(time);
    poll_fn(move |cx| match Pin::new(&mut future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut delay).poll(cx).map(|()| None),
    })
    .await
}
