//! The call of the batch function for a part of a round, and its answer.

use std::any::Any;
#[cfg(feature = "explain")]
use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use asynq_loader::PartId;

use super::caches::SharedCache;
use super::effects::Part;
use super::entry::Outcome;
use super::error::LoadError;
use super::failure::{Failure, catch, outcome};
use super::fetch::Fetched;
use super::flight::{Flight, InFlight};
use super::function::Called;
use super::job::Job;
use super::key::{Key, name};
use super::limits::Claim;
use super::scope_cache::Change;
use super::settings::{self, Settings, call_after, nanoseconds};
use super::shared::{Calls, Shared};
use super::threads::AllThreads;
use crate::batch::BoxError;
use crate::call_stack::inherited;
use crate::error::TaskError;
#[cfg(feature = "explain")]
use crate::recording::answers::{self, Answers};
use crate::recording::{self, Calling, Sent};
use crate::request::unrecorded_request;

/// Calls the function for a part that has its permits, if any of its keys are still wanted.
pub(super) fn begin<K, V>(
    shared: &Arc<Shared<K, V>>,
    part: PartId,
    claim: Option<Claim>,
    calls: Calls,
) where
    K: Key + Send + Sync,
    V: Clone + Send + 'static,
{
    let flight = Arc::<Flight>::default();
    let now = settings::now();
    let mut claim = claim;
    let begun = shared.change(Calls::InJobs, |state| {
        if !state.machine.permit(part, now) {
            return None;
        }
        let (keys, entries) = state.take_keys(part);
        let Settings { name, max_batch_size, priority, .. } = &*state.settings;
        let (place, is_full) = (shared.at, keys.len() >= *max_batch_size);
        let sent = Sent { name, place, priority: *priority, is_full };
        recording::sent((shared.id, part), &entries, &sent);
        let (keys, flight) = (Arc::new(keys), Arc::clone(&flight));
        let claim = claim.take();
        state.parts.insert(
            part,
            Part { keys: Arc::clone(&keys), entries, flight, job: None, _claim: claim },
        );
        Some(keys)
    });
    // Released if the part is not sent.
    drop(claim);
    let Some(keys) = begun.flatten() else { return };
    let call = Call {
        shared: Arc::clone(shared),
        part,
        keys,
        has_ended: false,
        #[cfg(feature = "explain")]
        answers: answers::current().filter(|_| shared.codec.get().is_some()),
    };
    if calls == Calls::Here && !shared.fetch.is_async() {
        return call.run_here(&flight);
    }
    let work = InFlight::new(flight, unrecorded_request(call.run()));
    let job = if calls == Calls::InPlace { Job::in_place(work) } else { Job::start(work) };
    if calls == Calls::Here && !job.is_spawned() {
        job.poll(Waker::noop());
    }
    shared.add_job(&job, |state| {
        let entries = state.parts.get(part).map(|part| part.entries.clone());
        state.wake(&entries.unwrap_or_default());
    });
    if !job.has_ended() {
        shared.change(Calls::InJobs, |state| {
            if let Some(part) = state.parts.get_mut(part) {
                part.job = Some(job);
            }
        });
    }
}

/// A part that was sent and has not ended. Dropping it ends it without an answer.
struct Call<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Arc<Shared<K, V>>,
    part: PartId,
    keys: Arc<Vec<K>>,
    has_ended: bool,
    /// Answers that are recorded or replayed.
    #[cfg(feature = "explain")]
    answers: Option<Arc<Answers>>,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Call<K, V> {
    /// Calls a function that is not async.
    fn run_here(mut self, flight: &Arc<Flight>) {
        let fetched = {
            let _calling = self.calling();
            catch_unwind(AssertUnwindSafe(|| flight.run(|| self.call())))
        };
        match fetched {
            Ok(Called::Now(answer)) => self.end(Ok(answer)),
            Ok(Called::Later(_)) => unreachable!("the function is not async"),
            Err(payload) => self.end(Err(payload)),
        }
    }

    /// Calls the function, and gives the loads their values.
    async fn run(mut self) {
        let called = {
            let _calling = self.calling();
            catch_unwind(AssertUnwindSafe(|| self.call()))
        };
        let fetched = match called {
            Ok(Called::Now(answer)) => Ok(answer),
            Ok(Called::Later(answer)) => {
                let mut answer = pin!(catch(answer));
                poll_fn(|cx| {
                    let _calling = self.calling();
                    answer.as_mut().poll(cx)
                })
                .await
            }
            Err(payload) => Err(payload),
        };
        self.end(fetched);
    }

    /// Says that the function runs, as long as the result lives.
    fn calling(&self) -> Calling {
        let Shared { id, fetch, at, .. } = &*self.shared;
        Calling::begin((*id, self.part), fetch.site, at)
    }

    fn call(&self) -> Called<Fetched<K, V>> {
        #[cfg(feature = "explain")]
        if let Some(answer) = self.replay() {
            return Called::Now(answer);
        }
        let before = self.shared.settings().map(|settings| settings.before.clone());
        let before = before.unwrap_or_default();
        if !before.is_empty() {
            for hook in before {
                hook(&self.keys);
            }
            self.called_at(settings::now());
        }
        self.shared.fetch.call(Vec::clone(&self.keys))
    }

    /// Returns the failure of a function that panicked.
    fn panic(
        &self,
        settings: &Settings<K, V, AllThreads>,
        payload: Box<dyn Any + Send>,
    ) -> TaskError {
        TaskError::from_panic(payload, || {
            let at = self.shared.at;
            let loader = settings.name_and_place(at);
            inherited().in_batch_function(settings.function, at, loader)
        })
    }

    /// Begins the time of the call.
    fn called_at(&self, time: u64) {
        self.shared.change(Calls::InJobs, |state| state.machine.called(self.part, time));
    }

    /// Gives each load its value or error. `fetched` is the answer of the function, or the payload of its panic.
    fn end(&mut self, fetched: thread::Result<Fetched<K, V>>) {
        let Some(settings) = self.shared.settings() else { return };
        let mut end = None;
        if let Ok(Fetched { span: Some(span), .. }) = &fetched {
            self.called_at(nanoseconds(span.start));
            end = Some(nanoseconds(span.end));
        }
        let mut outcomes = Vec::with_capacity(self.keys.len());
        let default = settings.default.as_deref();
        let given = fetched.and_then(|answer| {
            catch_unwind(AssertUnwindSafe(|| {
                (answer.give)(&self.keys, &mut |index, answer| {
                    let outcome = outcome(&self.keys[index], answer, default);
                    outcomes.push((index, Outcome::from(outcome.map_err(Arc::new))));
                })
            }))
        });
        #[cfg(feature = "explain")]
        self.record(&outcomes, given.as_ref().ok().and_then(|given| given.as_ref().err()));
        let failure = match given {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Error(Arc::from(error))),
            Err(payload) => Some(Failure::Panic(self.panic(&settings, payload))),
        };
        let time = self.resolve(&settings, outcomes, failure.as_ref(), end);
        let error = failure.as_ref().map(Failure::error);
        call_after(&settings.after, &self.keys, Duration::from_nanos(time), error);
    }

    /// Adds the value or error of a key to caches.
    fn cache(
        &self,
        settings: &Settings<K, V, AllThreads>,
        caches: Vec<SharedCache<K, V>>,
        index: usize,
        outcome: &Outcome<V>,
    ) {
        let result = match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Failed(error) if settings.caches_error(error) => Err(&**error),
            _ => return,
        };
        for cache in caches {
            let result = result.cloned().map_err(LoadError::clone);
            cache.change(Change::Insert(self.keys[index].clone(), result));
        }
    }

    /// Resolves the keys of the part, and ends it. Returns the time of the call.
    fn resolve(
        &mut self,
        settings: &Settings<K, V, AllThreads>,
        outcomes: Vec<(usize, Outcome<V>)>,
        failure: Option<&Failure>,
        end: Option<u64>,
    ) -> u64 {
        self.has_ended = true;
        recording::answered((self.shared.id, self.part), || {
            let has_failed = |outcome: &Outcome<V>| !matches!(outcome, Outcome::Value(_));
            let failed = outcomes.iter().filter(|(_, outcome)| has_failed(outcome)).count();
            (failed, failure.map(|failure| failure.error().to_string()))
        });
        let (shared, keys, part) = (&self.shared, &self.keys, self.part);
        let mut panic = None;
        let has_caches = shared.caches.are_used();
        let time = shared.change(Calls::InJobs, |state| {
            for (index, outcome) in outcomes {
                let Some((entry, is_fresh)) = state.answer(part, index) else { continue };
                if has_caches {
                    let caches = state.take_caches(entry);
                    // The load gets its value although a clone of it or of the key panics.
                    let add = || self.cache(settings, caches, index, &outcome);
                    let added = if is_fresh { catch_unwind(AssertUnwindSafe(add)) } else { Ok(()) };
                    panic = panic.take().or(added.err());
                }
                state.resolve(entry, outcome);
            }
            let ended = state.machine.ended(part, end.unwrap_or_else(settings::now));
            let (time, unanswered) =
                ended.map(|ended| (ended.time, ended.unanswered)).unwrap_or_default();
            if !unanswered.is_empty() {
                let of_panic =
                    panic.take().map(|payload| Failure::Panic(self.panic(settings, payload)));
                // Whoever else drops a call does so because no load waits for it.
                let dropped = "the tokio runtime that ran the batch function was shut down";
                let dropped = Failure::Error(Arc::from(BoxError::from(dropped)));
                let failure = failure.or(of_panic.as_ref()).unwrap_or(&dropped);
                for slot in unanswered {
                    let Some(entry) = state.entry_of(slot) else { continue };
                    let Some(index) = state.index_in_part(entry) else { continue };
                    state.resolve(entry, failed(&keys[index], failure));
                }
            }
            state.perform();
            state.end_part(part);
            state.sweep();
            time
        });
        time.unwrap_or_default()
    }
}

/// # Recorded answers
#[cfg(feature = "explain")]
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Call<K, V> {
    /// Returns the recorded answer, if answers are replayed.
    fn replay(&self) -> Option<Fetched<K, V>> {
        let answers = self.answers.as_ref().filter(|answers| answers.are_replayed())?;
        let (answers, shared) = (Arc::clone(answers), Arc::clone(&self.shared));
        let give = move |keys: &[K], give: &mut dyn FnMut(usize, Option<Result<V, BoxError>>)| {
            let (codec, source) = (shared.codec.get(), shared.name());
            for (index, key) in keys.iter().enumerate() {
                give(index, codec.map(|codec| answers.get(codec, &source, &name(key))));
            }
            Ok(())
        };
        Some(Fetched { give: Box::new(give), span: None })
    }

    /// Records the answer, if answers are recorded. `error` is that of all keys without an outcome.
    fn record(&self, outcomes: &[(usize, Outcome<V>)], error: Option<&BoxError>) {
        let (Some(answers), Some(codec)) = (&self.answers, self.shared.codec.get()) else { return };
        if answers.are_replayed() {
            return;
        }
        let source = self.shared.name();
        for (index, outcome) in outcomes {
            let answer = match outcome {
                Outcome::Value(value) => Ok(value),
                Outcome::Failed(error) => Err(error.to_string()),
                _ => continue,
            };
            answers.add(codec, &source, name(&self.keys[*index]), answer);
        }
        let Some(error) = error else { return };
        let given: HashSet<usize> = outcomes.iter().map(|&(index, _)| index).collect();
        for (_, key) in self.keys.iter().enumerate().filter(|(index, _)| !given.contains(index)) {
            answers.add(codec, &source, name(key), Err(error.to_string()));
        }
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Drop for Call<K, V> {
    fn drop(&mut self) {
        if !self.has_ended
            && let Some(settings) = self.shared.settings()
        {
            self.resolve(&settings, Vec::new(), None, None);
        }
    }
}

/// Returns the outcome of a key of a part that has failed.
fn failed<K: Key, V>(key: &K, failure: &Failure) -> Outcome<V> {
    match failure {
        Failure::Panic(panic) => Outcome::Panicked(panic.clone()),
        Failure::Error(error) => {
            let error = Arc::clone(error);
            Outcome::Failed(Arc::new(LoadError::Failed { key: name(key), error }))
        }
    }
}
