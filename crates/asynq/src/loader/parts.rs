//! The parts of the rounds of a loader: their permits, their jobs, and the timer.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use asynq_loader::PartId;

use super::error::TimeoutError;
use super::flight::Flight;
use super::group::Group;
use super::job::Job;
use super::key::Key;
use super::limits::{self, Claim, Claimer, Limit};
use super::runtime::Runtime;
use super::scope::next_id;
use super::settings::{self, Settings, call_after};
use super::shared::{Calls, Shared};
use super::state::{State, Timer};
use super::threads::AllThreads;
use crate::clock::{self, Wait};
use crate::recording::SentFor;
use crate::scheduler::{self, Scheduler};

/// # Parts
impl<K: Key + Send + Sync, V: Clone + Send + 'static> Shared<K, V> {
    /// Starts a part, once it has its permits.
    pub(super) fn start(&self, part: PartId, calls: Calls) {
        let is_async = self.fetch.is_async();
        let limits = self.with(|state| limits_of(&state.settings, is_async)).unwrap_or_default();
        if limits.is_empty() {
            return (self.begin)(&self.this(), part, None, calls);
        }
        let (claim, is_granted) = Claim::new(limits, self.this(), part);
        if is_granted {
            return (self.begin)(&self.this(), part, Some(claim), Calls::InJobs);
        }
        let mut claim = Some(claim);
        self.change(Calls::InJobs, |state| {
            if !state.granted.contains(&part)
                && let Some(claim) = claim.take()
            {
                state.claims.insert(part, claim);
            }
        });
        if let Some(claim) = claim {
            // Another thread was told before this one had kept the claim.
            self.change(Calls::InJobs, |state| state.granted.retain(|&other| other != part));
            return (self.begin)(&self.this(), part, Some(claim), Calls::InJobs);
        }
        limits::lend();
    }

    /// Sets a timer, unless one is set for that time or an earlier one.
    pub(super) fn set_timer(&self, time: u64) {
        let wait = Duration::from_nanos(time.saturating_sub(settings::now()));
        let (id, runtime) = (next_id(), Runtime::current().map(|runtime| runtime.id()));
        let timer = self.with(|state| {
            if state.is_timer_set(time) {
                return None;
            }
            state.add_timer(Timer { id, time, runtime, job: None });
            Some(state.settings.timer.clone())
        });
        let Some(timer) = timer.flatten() else { return };
        let own = timer.map(|timer| timer(wait));
        let is_own = own.is_some();
        let mut job = Job::start(self.tick_after(id, time, own.unwrap_or_else(|| wait_for(wait))));
        if job.is_refused() && !is_own {
            // The timers of the runtime end with it.
            job.cancel();
            job = Job::in_place(self.tick_after(id, time, clock::wait_by_thread(wait)));
        }
        self.add_job(&job, State::wake_all);
        self.change(Calls::InJobs, |state| {
            let Some(timer) = state.timers.iter_mut().find(|timer| timer.id == id) else { return };
            timer.runtime = runtime.filter(|_| job.is_spawned());
            timer.job = Some(Arc::clone(&job));
            if job.has_ended() {
                state.lose_timer(id);
            }
        });
    }

    /// Returns the work of a timer.
    fn tick_after(&self, id: u64, time: u64, wait: Wait) -> impl Future<Output = ()> + use<K, V> {
        let mut tick = Tick { shared: self.downgrade(), id, is_due: false };
        async move {
            wait.await;
            tick.is_due = true;
            if let Some(shared) = tick.shared.upgrade() {
                shared.tick(id, time);
            }
        }
    }

    fn tick(&self, id: u64, time: u64) {
        // The timer may have another clock.
        let now = settings::now().max(time);
        let _reason = SentFor::current();
        let late = self.change(Calls::InJobs, |state| {
            drop(state.take_timer(id));
            SentFor::is_late();
            state.tick(now);
            state.perform();
            state.sweep();
            let timeout = state.settings.timeout.unwrap_or_default();
            let late = state.effects.cancelled.iter();
            let late: Vec<_> = late.map(|part| Arc::clone(&part.keys)).collect();
            (late, timeout, Arc::clone(&state.settings))
        });
        if let Some((late, timeout, settings)) = late {
            for keys in late {
                let error = TimeoutError { after: timeout };
                call_after(&settings.after, &keys, timeout, Some(&error));
            }
        }
    }

    /// Polls the jobs that a load waits for: those that no runtime polls, or all of them. Returns whether any of
    /// them has ended.
    pub(super) fn poll_jobs(&self, waker: &Waker, all: bool) -> bool {
        let jobs = self.change(Calls::InJobs, |state| {
            state.in_place.retain(|job| !job.has_ended());
            let mut jobs = state.in_place.clone();
            if all {
                let calls = state.parts.values().filter_map(|part| part.job.as_ref());
                jobs.extend(
                    calls.chain(state.timer_jobs()).filter(|job| job.is_spawned()).cloned(),
                );
            }
            jobs
        });
        let jobs = jobs.unwrap_or_default();
        jobs.into_iter().fold(false, |ended, job| job.poll(waker) | ended)
    }

    /// Returns whether other threads make a call or timer of the loader go on.
    pub(super) fn runs_elsewhere(&self) -> bool {
        let runs_elsewhere = |state: &mut State<K, V>| {
            let calls = state.parts.values().filter_map(|part| part.job.as_ref());
            calls.chain(state.timer_jobs()).any(|job| job.runs_elsewhere())
        };
        self.with(runs_elsewhere).unwrap_or(false)
    }

    /// Keeps a job that no runtime polls, and lets `f` wake the loads that have to poll it.
    pub(super) fn add_job(&self, job: &Arc<Job>, f: impl FnOnce(&mut State<K, V>)) {
        if job.has_ended() {
            return;
        }
        self.change(Calls::InJobs, |state| {
            if !job.is_spawned() {
                state.in_place.push(Arc::clone(job));
                f(state);
            }
        });
    }
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Claimer for Shared<K, V> {
    fn flight_of_part(&self, part: PartId) -> Option<Arc<Flight>> {
        self.with(|state| Some(Arc::clone(&state.parts.get(part)?.flight))).flatten()
    }

    fn granted(self: Arc<Self>, part: PartId, calls: Calls) {
        let claim = self
            .change(Calls::InJobs, |state| {
                let claim = state.claims.remove(part);
                if claim.is_none() {
                    state.granted.push(part);
                }
                claim
            })
            .flatten();
        if let Some(claim) = claim {
            (self.begin)(&self, part, Some(claim), calls);
        }
    }
}

/// The duty to do what is due at the time of a timer.
struct Tick<K: Key + Send + Sync, V: Clone + Send + 'static> {
    shared: Weak<Shared<K, V>>,
    id: u64,
    is_due: bool,
}

impl<K: Key + Send + Sync, V: Clone + Send + 'static> Drop for Tick<K, V> {
    /// Lets another load set a timer, if the runtime has ended before.
    fn drop(&mut self) {
        if !self.is_due
            && let Some(shared) = self.shared.upgrade()
        {
            shared.change(Calls::InJobs, |state| state.lose_timer(self.id));
        }
    }
}

impl<K: Key, V: Clone + 'static> State<K, V> {
    /// Notes that a timer which has started was dropped with its runtime. The loads that wait are woken to set another
    /// one, where they are polled.
    fn lose_timer(&mut self, id: u64) {
        let has_started = |timer: &Timer| timer.id == id && timer.job.is_some();
        if self.timers.iter().any(has_started) {
            drop(self.take_timer(id));
            if self.deadline().is_some() {
                self.is_timer_lost = true;
                self.wake_all();
            }
        }
    }
}

/// Returns a wait for a time: by the runtime of this thread, unless a call blocks the thread.
fn wait_for(time: Duration) -> Wait {
    let is_blocked = scheduler::try_with(Scheduler::blocks_thread).unwrap_or_default();
    let by_runtime = if is_blocked { None } else { clock::wait_in_runtime(time) };
    by_runtime.unwrap_or_else(|| clock::wait_by_thread(time))
}

/// Returns the limits of a part, always in the same order, so that no two parts wait for each other.
fn limits_of<K, V>(settings: &Settings<K, V, AllThreads>, is_async: bool) -> Vec<Arc<Limit>> {
    let own = settings.limit.clone().filter(|_| is_async);
    let group = settings.group.as_ref().and_then(Group::limit);
    own.into_iter().chain(group).collect()
}
