//! Work of a loader that goes on beside its loads: the call of an async function, a timer.
//!
//! # Note: who polls a job
//!
//! A job is a task of the tokio runtime in which it was started. So it sees no task-local and no span of a
//! request, and goes on whatever becomes of the request. Where there is no runtime, each load that waits for the
//! job polls it: whoever is polled makes it go on, and a load that is polled no more blocks nobody.
//!
//! A synchronous call polls the jobs that it waits for as well, since it may hold the thread that would run them.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use super::runtime::Runtime;
use crate::nested_wakers::note_task;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) struct Job {
    /// None when it has ended.
    work: Mutex<Option<Work>>,
    /// Code that polls it.
    pollers: Mutex<Vec<Waker>>,
    /// It was woken since the last poll began.
    is_woken: AtomicBool,
    is_cancelled: AtomicBool,
    /// Runtime that polls it, with the thread that started it there.
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
        let job = Self::new(work);
        if let Some((runtime, _)) = &job.runtime {
            runtime.spawn(Spawned(Arc::clone(&job)));
        }
        job
    }

    fn new(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            work: Mutex::new(Some(Box::pin(work))),
            pollers: Mutex::default(),
            is_woken: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            runtime: Runtime::current().map(|runtime| (runtime, thread::current().id())),
        })
    }

    /// Returns whether a runtime polls the job.
    pub(super) fn is_spawned(&self) -> bool {
        self.runtime.is_some()
    }

    /// Returns whether the job goes on while this thread is blocked.
    pub(super) fn runs_elsewhere(&self) -> bool {
        self.runtime.as_ref().is_some_and(|(runtime, thread)| {
            runtime.has_threads() || *thread != thread::current().id()
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        match self.work.try_lock() {
            Ok(work) => work.is_none(),
            Err(_) => false,
        }
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
            ended.then(|| work.take())
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
            Ok(mut work) => work.take(),
            Err(_) => None,
        };
        drop(work);
        self.wake_pollers();
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
        pollers.into_iter().for_each(Waker::wake);
    }
}

/// A job as a task of a runtime. A runtime that is shut down drops it, which cancels the job.
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
        self.0.cancel();
    }
}
