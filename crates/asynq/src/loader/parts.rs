//! The parts of the rounds of a loader: their permits, their jobs, and the timer.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use asynq_loader::PartId;

use super::error::TimeoutError;
use super::group::Group;
use super::job::Job;
use super::key::Key;
use super::limits::{self, Claim, Claimer, Limit};
use super::settings::{self, Settings, call_after};
use super::shared::{Calls, Shared};
use super::state::State;
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
        let claim = Claim::new(limits, self.this(), part);
        let borrower = claim.id();
        let mut claim = Some(claim);
        let lenders = self.change(Calls::InJobs, |state| {
            if state.granted.contains(&part) {
                return Vec::new();
            }
            if let Some(claim) = claim.take() {
                state.claims.insert(part, claim);
            }
            state.lenders()
        });
        if let Some(claim) = claim {
            // Another thread was told before this one had kept the claim.
            self.change(Calls::InJobs, |state| state.granted.retain(|&other| other != part));
            return (self.begin)(&self.this(), part, Some(claim), Calls::InJobs);
        }
        limits::grant();
        for lender in lenders.unwrap_or_default() {
            limits::lend(lender, borrower);
        }
    }

    pub(super) fn set_timer(&self, time: u64) {
        let wait = Duration::from_nanos(time.saturating_sub(settings::now()));
        let itself = self.downgrade();
        let is_new = self.change_timer(time);
        if !is_new {
            return;
        }
        let timer = self.with(|state| state.settings.timer.clone()).flatten();
        let wait = match timer {
            Some(timer) => timer(wait),
            None => wait_for(wait),
        };
        let job = Job::start(async move {
            wait.await;
            if let Some(shared) = itself.upgrade() {
                shared.tick(time);
            }
        });
        self.add_job(&job, State::wake_all);
        self.change(Calls::InJobs, |state| {
            if let Some((set, place)) = &mut state.timer
                && *set == time
            {
                *place = Some(job);
            }
        });
    }

    fn change_timer(&self, time: u64) -> bool {
        let set = |state: &mut State<K, V>| {
            let is_new = !state.is_timer_set(time);
            if is_new {
                state.timer = Some((time, None));
            }
            is_new
        };
        self.with(set).unwrap_or(false)
    }

    fn tick(&self, time: u64) {
        // The timer may have another clock.
        let now = settings::now().max(time);
        let _reason = SentFor::current();
        let late = self.change(Calls::InJobs, |state| {
            if state.timer.as_ref().is_some_and(|(set, _)| *set == time) {
                state.timer = None;
            }
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
                let timer = state.timer.iter().filter_map(|(_, job)| job.as_ref());
                jobs.extend(calls.chain(timer).filter(|job| job.is_spawned()).cloned());
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
            let timer = state.timer.iter().filter_map(|(_, job)| job.as_ref());
            calls.chain(timer).any(|job| job.runs_elsewhere())
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
    fn granted(self: Arc<Self>, part: PartId) {
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
            (self.begin)(&self, part, Some(claim), Calls::InJobs);
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
