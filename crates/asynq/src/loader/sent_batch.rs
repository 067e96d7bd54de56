//! The flush of a loader: sends the keys in parts, and sets the values of its loads.

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
use super::fetch::GiveValues;
use super::keys::{Key, KeyRequest, Keys, Shared};
use super::limit::{self, Limit};
use super::pending_keys::PendingKeys;
use super::stats::Flushed;
use crate::batch::{Batch, BoxError, Flush, FlushStep, Items};
use crate::call_stack::Site;
use crate::error::TaskError;
use crate::futures::all;
use crate::scheduler::{self, Scheduler};
use crate::task::AsyncTask;

impl<K: Key, V: Clone + 'static> Batch for Keys<K, V> {
    type Key = KeyRequest<K, V>;
    type Value = V;
    type Flush = Sending;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Sending {
        // First: later loads belong to the next batch.
        Rc::new(SentBatch::begin(&self.shared, items)).send()
    }

    fn name(&self) -> String {
        self.shared.settings.borrow().name.to_string()
    }

    fn priority(&self) -> i64 {
        self.shared.settings.borrow().priority
    }
}

/// Return type of the flush of a loader.
pub enum Sending {
    Done,
    Later(Rest),
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

/// Rest of the flush of a part.
type Rest = Pin<Box<dyn Future<Output = ()>>>;

/// A batch that was sent, until all its parts have completed or were cancelled.
struct SentBatch<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
    keys: Rc<PendingKeys<K, Keys<K, V>>>,
    items: Items<Keys<K, V>>,
    /// Number of parts that have not completed.
    pending_parts: Cell<usize>,
}

impl<K: Key, V: Clone + 'static> SentBatch<K, V> {
    fn begin(shared: &Rc<Shared<K, V>>, items: Items<Keys<K, V>>) -> Self {
        let keys = shared.open.replace(PendingKeys::new());
        shared.sent.borrow_mut().push(Rc::clone(&keys));
        Self { shared: Rc::clone(shared), keys, items, pending_parts: Cell::new(0) }
    }

    fn send(self: Rc<Self>) -> Sending {
        let is_uncached = |index: &usize| self.items.keys()[*index].cached.is_none();
        let uncached: Vec<_> = (0..self.items.len()).filter(is_uncached).collect();
        if uncached.is_empty() {
            self.resolve_cached();
            return Sending::Done;
        }
        let parts = uncached.chunks(self.shared.settings.borrow().max_batch_size);
        self.pending_parts.set(parts.len());
        let part = |indices: &[usize]| Part { batch: Rc::clone(&self), indices: indices.to_vec() };
        let mut rest: Vec<_> = parts.filter_map(|indices| part(indices).send()).collect();
        match rest.pop() {
            None => Sending::Done,
            Some(only) if rest.is_empty() => Sending::Later(only),
            Some(last) => {
                static BATCH: Site = Site::new("batch of a loader");
                let rest = rest.into_iter().chain([last]);
                let rest = all(rest.map(|rest| AsyncTask::with_site(&BATCH, rest)));
                Sending::Later(Box::pin(async move { drop(rest.await) }))
            }
        }
    }

    /// Completes a part. Cached keys resolve with the last part, so that no task runs ahead.
    fn complete_part(&self) {
        self.pending_parts.set(self.pending_parts.get() - 1);
        if self.pending_parts.get() == 0 {
            self.resolve_cached();
        }
    }

    /// Sets the values of the loads of cached keys.
    fn resolve_cached(&self) {
        for item in &self.items {
            if let Some(cached) = &item.key().cached {
                item.set_outcome(Result::clone(cached));
            }
        }
    }
}

impl<K: Key, V: Clone + 'static> Drop for SentBatch<K, V> {
    fn drop(&mut self) {
        self.shared.sent.borrow_mut().retain(|keys| !Rc::ptr_eq(keys, &self.keys));
    }
}

/// Part of a batch with at most as many keys as the function takes. Its failure does not affect the
/// other parts.
struct Part<K: Key, V: Clone + 'static> {
    batch: Rc<SentBatch<K, V>>,
    indices: Vec<usize>,
}

impl<K: Key, V: Clone + 'static> Part<K, V> {
    fn keys(&self) -> Vec<&K> {
        let requests = self.batch.items.keys();
        self.indices.iter().map(|&index| &requests[index].key).collect()
    }

    /// Calls the function, as soon as the limits allow it.
    fn send(self) -> Option<Rest> {
        if !self.batch.shared.fetch.is_async() {
            return self.call(); // It returns before another batch can be sent.
        }
        let own = self.batch.shared.settings.borrow().limit.clone();
        let limits: Vec<_> = own.into_iter().chain(limit::of_thread()).collect();
        if limits.is_empty() {
            return self.call();
        }
        Some(Box::pin(async move {
            // Always in this order, so that no two batches wait for each other.
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
        let shared = &self.batch.shared;
        let (before, timeout) = {
            let settings = shared.settings.borrow();
            (settings.before.clone(), settings.timeout)
        };
        let mut start = Instant::now();
        let fetched = catch_unwind(AssertUnwindSafe(|| {
            for hook in before {
                hook(&keys);
            }
            start = Instant::now();
            shared.fetch.call(keys)
        }));
        match fetched {
            Ok(Fetched::Later(answer)) => Some(Box::pin(async move {
                let outcome = match timeout {
                    Some(after) => catch(within(after, answer)).await,
                    None => catch(answer).await.map(Ok),
                };
                self.end(outcome, start);
            })),
            Ok(Fetched::Now(give)) => {
                self.end(Ok(Ok(give)), start);
                None
            }
            Err(payload) => {
                self.end(Err(payload), start);
                None
            }
        }
    }

    /// Sets the value or error of each load. `outcome` is the answer of the function, or the payload
    /// of its panic.
    fn end(&self, outcome: thread::Result<Result<GiveValues<K, V>, TimeoutError>>, start: Instant) {
        let given = outcome.and_then(|outcome| match outcome {
            Ok(give) => catch_unwind(AssertUnwindSafe(|| self.set_values(give))),
            Err(timeout) => Ok(Err(timeout.into())),
        });
        let time = start.elapsed();
        let (shared, keys) = (&self.batch.shared, self.keys());
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
        self.batch.complete_part();
        let after = shared.settings.borrow().after.clone();
        let flushed = Flushed { keys: &keys, time, error: failure.as_ref().map(Failure::error) };
        for hook in after {
            // A panic of a hook does not fail the batch, which has completed.
            drop(catch_unwind(AssertUnwindSafe(|| hook(&flushed))));
        }
    }

    fn set_values(&self, give: GiveValues<K, V>) -> Result<(), BoxError> {
        let keys = self.keys();
        let default = self.batch.shared.settings.borrow().default.clone();
        give(&keys, &mut |part, outcome| {
            let outcome = match (outcome, &default) {
                (Some(Ok(value)), _) => Ok(value),
                (Some(Err(error)), _) => {
                    Err(LoadError::Failed { key: name(keys[part]), error: error.into() })
                }
                (None, Some(default)) => Ok(default(keys[part])),
                (None, None) => Err(LoadError::Missing { key: name(keys[part]) }),
            };
            let item = self.batch.items.item(self.indices[part]);
            self.cache(item.key(), &outcome);
            item.set_outcome(outcome);
        })
    }

    /// Adds a value or error to the caches of all scopes that have loaded its key.
    fn cache(&self, request: &KeyRequest<K, V>, outcome: &Result<V, LoadError>) {
        let keys = &self.batch.keys;
        if (request.cache.is_none() && !keys.has_caches())
            || (outcome.is_err() && !self.batch.shared.settings.borrow().cache_errors)
        {
            return;
        }
        let Some(others) = keys.caches(&request.key) else { return };
        for cache in request.cache.iter().chain(&others) {
            cache.borrow_mut().insert(request.key.clone(), outcome.clone());
        }
    }

    /// Fails all loads of the part. This error is not cached, since no single key caused it.
    fn fail(&self, failure: &Failure) {
        for &index in &self.indices {
            let item = self.batch.items.item(index);
            // The function may have panicked after some loads had their values.
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

/// Failure of a whole part.
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

/// Awaits `future`, and returns its output or the payload of its panic.
async fn catch<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// Awaits `future` for at most `time`.
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
