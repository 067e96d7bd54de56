//! Threads that wake the loads of a loader.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;

/// Wakes all of `wakers`, also if one of them panics. Returns the first panic.
pub(super) fn wake_all(wakers: impl IntoIterator<Item = Waker>) -> thread::Result<()> {
    let mut woken = Ok(());
    for waker in wakers {
        woken = woken.and(catch_unwind(AssertUnwindSafe(|| waker.wake())));
    }
    woken
}

/// Goes on with a panic, now that everything else is done.
pub(super) fn go_on(result: thread::Result<()>) {
    if let Err(payload) = result
        && !thread::panicking()
    {
        resume_unwind(payload);
    }
}

/// Threads that wake several loads, one after the other.
///
/// Code that waits for several of them can be polled when only the first was woken. It must not send the next round
/// then, since the others have values, too.
#[derive(Default)]
pub(super) struct Waking {
    threads: AtomicUsize,
    /// Code that waits for the end.
    watchers: Mutex<Vec<Waker>>,
}

/// A thread that wakes several loads.
pub(super) struct WakingThread<'w>(&'w Waking);

impl Waking {
    pub(super) fn begin(&self) -> WakingThread<'_> {
        self.threads.fetch_add(1, Ordering::Relaxed);
        WakingThread(self)
    }

    /// Returns whether a thread has not woken all of its loads. Then `waker` is woken later.
    #[inline]
    pub(super) fn watch(&self, waker: &Waker) -> bool {
        self.threads.load(Ordering::Acquire) > 0 && self.add_watcher(waker)
    }

    #[cold]
    fn add_watcher(&self, waker: &Waker) -> bool {
        let mut watchers = self.watchers();
        let are_waking = self.threads.load(Ordering::Acquire) > 0;
        if are_waking && !watchers.iter().any(|other| other.will_wake(waker)) {
            watchers.push(waker.clone());
        }
        are_waking
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WakingThread<'_> {
    fn drop(&mut self) {
        let watchers = {
            let mut watchers = self.0.watchers();
            self.0.threads.fetch_sub(1, Ordering::Release);
            mem::take(&mut *watchers)
        };
        // It may be dropped by a panic, and the one of a waker has been reported.
        drop(wake_all(watchers));
    }
}
