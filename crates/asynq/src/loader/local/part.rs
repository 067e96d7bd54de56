//! A part of a round: the call of the batch function, and its answer.

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use asynq_loader::PartId;

use super::fetch::Fetched;
use super::function::Called;
use super::keys::Shared;
use crate::batch::BoxError;
use crate::error::TaskError;
use crate::loader::error::TimeoutError;
use crate::loader::failure::{Failure, catch, outcome};
use crate::loader::key::Key;
#[cfg(feature = "explain")]
use crate::loader::key::name;
use crate::loader::settings::{self, call_after, nanoseconds};
#[cfg(feature = "explain")]
use crate::recording::answers::{self, Answers};
use crate::scheduler::{self, Claim, Scheduler};
use crate::task::PromiseFuture;

/// Future of the answer of a batch function.
pub(super) type FutureAnswer<K, V> = Pin<Box<dyn Future<Output = Fetched<K, V>>>>;

/// A part that has not ended. Dropping it ends it without an answer.
pub(super) struct Part<K: Key, V: Clone + 'static> {
    shared: Rc<Shared<K, V>>,
    id: PartId,
    keys: Vec<K>,
    /// Time of the call.
    start: Cell<u64>,
    /// Time of its end, if another thread has called the function.
    end: Cell<Option<u64>>,
    has_ended: Cell<bool>,
    /// Released when the part is dropped.
    claim: Option<Claim>,
    /// Answers that are recorded or replayed.
    #[cfg(feature = "explain")]
    answers: Option<Arc<Answers>>,
}

impl<K: Key, V: Clone + 'static> Part<K, V> {
    pub(super) fn new(shared: &Rc<Shared<K, V>>, id: PartId, claim: Option<Claim>) -> Self {
        Self {
            shared: Rc::clone(shared),
            id,
            keys: Vec::new(),
            start: Cell::new(0),
            end: Cell::new(None),
            has_ended: Cell::new(false),
            claim,
            #[cfg(feature = "explain")]
            answers: answers::current().filter(|_| shared.codec.get().is_some()),
        }
    }

    /// Waits for the permits, calls the function, and waits for its answer.
    pub(super) async fn run(mut self, permits: PromiseFuture<()>) {
        let granted = async {
            permits.await;
            if let Some(claim) = &self.claim {
                claim.wait_for_others().await;
            }
        };
        if self.in_time(granted).await.is_some()
            && let Some(answer) = self.call()
        {
            self.finish(answer).await;
        }
    }

    /// Calls the function with the keys that have been loaded by now, if there are any. Returns the
    /// future of the answer, unless the part has ended.
    pub(super) fn call(&mut self) -> Option<FutureAnswer<K, V>> {
        let now = settings::now();
        self.start.set(now);
        if !self.shared.machine.borrow_mut().permit(self.id, now) {
            return None;
        }
        self.shared.perform();
        self.take_keys();
        #[cfg(feature = "explain")]
        if let Some(answer) = self.replay() {
            self.end(Ok(answer));
            return None;
        }
        let before = self.shared.settings.borrow().before.clone();
        let fetched = catch_unwind(AssertUnwindSafe(|| {
            let _calling = Calling::begin(&self.shared, self.id);
            let keys = self.keys.clone();
            if !before.is_empty() {
                for hook in before {
                    hook(&keys);
                }
                self.called_at(settings::now());
            }
            self.shared.fetch.call(keys)
        }));
        match fetched {
            Ok(Called::Later(answer)) => return Some(answer),
            Ok(Called::Now(answer)) => self.end(Ok(answer)),
            Err(payload) => self.end(Err(payload)),
        }
        None
    }

    /// Begins the time of the call.
    fn called_at(&self, time: u64) {
        self.start.set(time);
        self.shared.machine.borrow_mut().called(self.id, time);
    }

    /// Takes the keys out of their requests.
    fn take_keys(&mut self) {
        let machine = self.shared.machine.borrow();
        let mut requests = self.shared.requests.borrow_mut();
        let slots = machine.slots_of(self.id).unwrap_or_default();
        let take = |(index, &slot)| requests.get_mut(slot)?.take_key(index);
        let keys = (0..).zip(slots).map(take).map(|key| key.expect("a slot has a request"));
        self.keys = keys.collect();
    }

    /// Waits for the answer, and gives the loads their values.
    pub(super) async fn finish(self, answer: FutureAnswer<K, V>) {
        match self.in_time(catch(answer)).await {
            Some(outcome) => self.end(outcome),
            None => self.end_late(),
        }
    }

    /// Awaits `future` while there are keys of the part that are in time.
    async fn in_time<F: Future>(&self, future: F) -> Option<F::Output> {
        let next_deadline = || self.shared.machine.borrow().deadline(self.id);
        let Some(mut deadline) = next_deadline() else { return Some(future.await) };
        let mut wait = self.shared.wait_until(deadline);
        let mut future = pin!(future);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(Some(output));
                }
                if wait.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // The timer may have another clock.
                self.shared.late(self.id, settings::now().max(deadline), &self.keys);
                let Some(next) = next_deadline() else { return Poll::Ready(None) };
                deadline = next;
                wait = self.shared.wait_until(deadline);
            }
        })
        .await
    }

    /// Gives each load its value or error. `outcome` is the answer of the function, or the payload of
    /// its panic.
    fn end(&self, outcome: thread::Result<Fetched<K, V>>) {
        if let Ok(Fetched { span: Some(span), .. }) = &outcome {
            self.called_at(nanoseconds(span.start));
            self.end.set(Some(nanoseconds(span.end)));
        }
        let given =
            outcome.and_then(|answer| catch_unwind(AssertUnwindSafe(|| self.set_values(answer))));
        let failure = match given {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Error(error.into())),
            Err(payload) => Some(Failure::Panic(self.panic(payload))),
        };
        let time = self.remove(failure.as_ref());
        self.call_hooks(failure.as_ref(), time);
    }

    /// Returns the failure of a function that panicked.
    fn panic(&self, payload: Box<dyn Any + Send>) -> TaskError {
        TaskError::from_panic(payload, || {
            let stack = scheduler::with(Scheduler::stack).unwrap_or_default();
            let (settings, at) = (self.shared.settings.borrow(), self.shared.at);
            stack.in_batch_function(settings.function, at, settings.name_and_place(at))
        })
    }

    /// Ends a part whose keys are all late.
    fn end_late(&self) {
        let after = self.shared.settings.borrow().timeout.unwrap_or_default();
        self.shared.sweep();
        let time = settings::now().saturating_sub(self.start.get());
        self.call_hooks(Some(&Failure::Error(Arc::new(TimeoutError { after }))), time);
    }

    fn set_values(&self, answer: Fetched<K, V>) -> Result<(), BoxError> {
        let default = self.shared.settings.borrow().default.clone();
        #[cfg(feature = "explain")]
        let mut is_given = vec![false; self.keys.len()];
        let given = (answer.give)(&self.keys, &mut |index, answer| {
            let key = &self.keys[index];
            let outcome = outcome(key, answer, default.as_deref());
            #[cfg(feature = "explain")]
            {
                is_given[index] = true;
                self.record(key, outcome.as_ref().map_err(ToString::to_string));
            }
            let is_cached = match &outcome {
                Ok(_) => true,
                Err(error) => self.shared.caches_error(error),
            };
            let answered = self.shared.machine.borrow_mut().answered(self.id, index);
            if let Some(answered) = answered {
                let is_cached = is_cached && answered.is_fresh;
                self.shared.resolve(answered.slot, key, outcome, is_cached);
            }
        });
        #[cfg(feature = "explain")]
        if let Err(error) = &given {
            for (key, _) in self.keys.iter().zip(is_given).filter(|(_, is_given)| !is_given) {
                self.record(key, Err(error.to_string()));
            }
        }
        given
    }

    /// Ends the part, and fails the loads without an answer. Returns the time of the call.
    fn remove(&self, failure: Option<&Failure>) -> u64 {
        if self.has_ended.replace(true) {
            return 0;
        }
        let task = self.shared.tasks.borrow_mut().remove(&self.id);
        let end = self.end.get().unwrap_or_else(settings::now);
        let ended = self.shared.machine.borrow_mut().ended(self.id, end);
        let (unanswered, time) =
            ended.map(|ended| (ended.unanswered, ended.time)).unwrap_or_default();
        if !unanswered.is_empty() {
            let of_task = task.and_then(|task| task.task.failure());
            let dropped = match of_task {
                // It takes part in a deadlock.
                Some(error) => Failure::Error(Arc::new(error)),
                None => Failure::Error(Arc::from(BoxError::from("the batch was cancelled"))),
            };
            for slot in unanswered {
                self.shared.fail(slot, &self.keys, failure.unwrap_or(&dropped));
            }
        }
        self.shared.perform();
        self.shared.sweep();
        time
    }

    fn call_hooks(&self, failure: Option<&Failure>, time: u64) {
        let after = self.shared.settings.borrow().after.clone();
        call_after(&after, &self.keys, Duration::from_nanos(time), failure.map(Failure::error));
    }
}

/// # Recorded answers
#[cfg(feature = "explain")]
impl<K: Key, V: Clone + 'static> Part<K, V> {
    /// Returns the recorded answer, if answers are replayed.
    fn replay(&self) -> Option<Fetched<K, V>> {
        let answers = self.answers.as_ref().filter(|answers| answers.are_replayed())?;
        let (answers, shared) = (Arc::clone(answers), Rc::clone(&self.shared));
        let give = move |keys: &[K], give: &mut dyn FnMut(usize, Option<Result<V, BoxError>>)| {
            let (codec, source) = (shared.codec.get(), shared.settings.borrow().name.to_string());
            for (index, key) in keys.iter().enumerate() {
                give(index, codec.map(|codec| answers.get(codec, &source, &name(key))));
            }
            Ok(())
        };
        Some(Fetched { give: Box::new(give), span: None })
    }

    /// Records the answer for a key, if answers are recorded.
    fn record(&self, key: &K, answer: Result<&V, String>) {
        let (Some(answers), Some(codec)) = (&self.answers, self.shared.codec.get()) else { return };
        if !answers.are_replayed() {
            let source = self.shared.settings.borrow().name.to_string();
            answers.add(codec, &source, name(key), answer);
        }
    }
}

impl<K: Key, V: Clone + 'static> Drop for Part<K, V> {
    fn drop(&mut self) {
        self.remove(None);
    }
}

/// Marks the part whose function is being called.
struct Calling<'s, K: Key, V: Clone + 'static> {
    shared: &'s Shared<K, V>,
    outer: Option<PartId>,
}

impl<'s, K: Key, V: Clone + 'static> Calling<'s, K, V> {
    fn begin(shared: &'s Shared<K, V>, part: PartId) -> Self {
        Self { shared, outer: shared.calling.replace(Some(part)) }
    }
}

impl<K: Key, V: Clone + 'static> Drop for Calling<'_, K, V> {
    fn drop(&mut self) {
        self.shared.calling.set(self.outer);
    }
}
