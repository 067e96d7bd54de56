//! Work of a loader that goes on beside its loads: the call of an async function, a timer.
//!
//! # Note: who polls a job
//!
//! A job is a task of the tokio runtime in which it was started. So it sees no task-local and no span of a
//! request, and goes on whatever becomes of the request. Where there is no runtime, each load that waits for the
//! job polls it: whoever is polled makes it go on, and a load that is polled no more blocks nobody.
//!
//! A runtime that is shutting down refuses new tasks, although code still runs there. A job that it refuses is one
//! without a runtime.
//!
//! A synchronous call polls the jobs that it waits for as well, since it may hold the thread that would run them.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use super::runtime::Runtime;
use super::waking;
use crate::nested_wakers::note_task;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime is being asked to run the job.
const STARTING: u8 = 0;
/// A runtime runs the job.
const SPAWNED: u8 = 1;
/// The loads that wait for the job poll it.
const IN_PLACE: u8 = 2;

pub(super) struct Job {
    /// None when it has ended.
    work: Mutex<Option<Work>>,
    /// Code that polls it.
    pollers: Mutex<Vec<Waker>>,
    /// It was woken since the last poll began.
    is_woken: AtomicBool,
    is_cancelled: AtomicBool,
    /// Apart from `work`, since a poll that finds that locked relies on another poll.
    has_ended: AtomicBool,
    place: AtomicU8,
    /// Runtime in which it was started, and the thread that did so.
    runtime: Option<(Runtime, ThreadId)>,
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.wake_pollers();
    }
}

impl Job {
    /// Starts a job: on the tokio runtime of this thread, if there is one.
    pub(super) fn start(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let runtime = Runtime::current().map(|runtime| (runtime, thread::current().id()));
        let job = Self::new(work, runtime);
        if let Some((runtime, _)) = &job.runtime {
            runtime.spawn(Spawned(Arc::clone(&job)));
            job.change_place(SPAWNED);
        }
        job
    }

    /// Starts a job that the loads which wait for it poll.
    pub(super) fn in_place(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Self::new(work, None)
    }

    fn new(
        work: impl Future<Output = ()> + Send + 'static,
        runtime: Option<(Runtime, ThreadId)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            work: Mutex::new(Some(Box::pin(work))),
            pollers: Mutex::default(),
            is_woken: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            place: AtomicU8::new(if runtime.is_some() { STARTING } else { IN_PLACE }),
            runtime,
        })
    }

    /// Ends the start of the job. Returns whether it had not ended before.
    fn change_place(&self, place: u8) -> bool {
        self.place.compare_exchange(STARTING, place, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Returns whether a runtime polls the job.
    pub(super) fn is_spawned(&self) -> bool {
        self.place.load(Ordering::Acquire) != IN_PLACE
    }

    /// Returns whether its runtime, which is shutting down, has refused the job. One that has ended already was not.
    pub(super) fn is_refused(&self) -> bool {
        self.runtime.is_some() && !self.is_spawned() && !self.has_ended()
    }

    /// Returns whether the job goes on while this thread is blocked.
    pub(super) fn runs_elsewhere(&self) -> bool {
        self.runtime.as_ref().filter(|_| self.is_spawned()).is_some_and(|(runtime, thread)| {
            runtime.has_threads() || *thread != thread::current().id()
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Polls the job, and returns whether it has ended. `waker` is woken when it can go on.
    pub(super) fn poll(self: &Arc<Self>, waker: &Waker) -> bool {
        self.add_poller(waker);
        let ended = {
            let mut work = match self.work.try_lock() {
                Ok(work) => work,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Another thread polls it, and wakes the pollers afterwards if that is necessary.
                Err(TryLockError::WouldBlock) => return false,
            };
            self.is_woken.store(false, Ordering::SeqCst);
            let Some(future) = work.as_mut() else { return true };
            let own = Waker::from(Arc::clone(self));
            let polled = catch_unwind(AssertUnwindSafe(|| {
                future.as_mut().poll(&mut Context::from_waker(&own))
            }));
            let ended =
                !matches!(polled, Ok(Poll::Pending)) || self.is_cancelled.load(Ordering::SeqCst);
            ended.then(|| self.take(&mut work))
        };
        if ended.is_some() || self.is_woken.load(Ordering::SeqCst) {
            self.wake_pollers();
        }
        ended.is_some()
    }

    /// Drops the work. If it is being polled, at the end of that.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
        let work = match self.work.try_lock() {
            Ok(mut work) => self.take(&mut work),
            Err(_) => None,
        };
        drop(work);
        self.wake_pollers();
    }

    fn take(&self, work: &mut Option<Work>) -> Option<Work> {
        self.has_ended.store(true, Ordering::SeqCst);
        work.take()
    }

    fn add_poller(&self, waker: &Waker) {
        if waker.will_wake(Waker::noop()) {
            return;
        }
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        if !pollers.iter().any(|other| other.will_wake(waker)) {
            pollers.push(waker.clone());
        }
    }

    fn wake_pollers(&self) {
        let pollers = mem::take(&mut *self.pollers.lock().unwrap_or_else(PoisonError::into_inner));
        waking::go_on(waking::wake_all(pollers));
    }
}

/// A job as a task of a runtime. A runtime that is shut down drops it, which cancels the job. One that refuses the task
/// drops it while the job starts.
struct Spawned(Arc<Job>);

impl Future for Spawned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        note_task(cx.waker());
        if self.0.poll(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if !self.0.change_place(IN_PLACE) {
            self.0.cancel();
        }
    }
}
