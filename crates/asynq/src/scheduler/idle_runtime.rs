//! Sleeping beside a runtime that another thread has to run: after `Runtime::enter`, or `Handle::enter`.
//!
//! # Note: idle runtimes
//!
//! A current-thread runtime goes on only while some thread is inside of its `block_on`, and nothing tells whether one
//! is. So a thread that waits for it lets it run a task from time to time. If that does not happen, no thread runs the
//! runtime.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use tokio::runtime::Handle;

/// Time within which a runtime runs a task.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// Time at which a runtime has run a task of this thread.
    static HAS_RUN: Cell<Option<Instant>> = const { Cell::new(None) };
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Calls `sleep`, which parks this thread, for a short time. Returns `false` if the runtime runs no task within a second.
pub(super) fn sleep(runtime: &Handle, sleep: impl FnOnce()) -> bool {
    let thread = thread::current();
    let has_run = Arc::new(AtomicBool::new(false));
    let is_known = HAS_RUN.get().is_some_and(|time| time.elapsed() < PATIENCE);
    let task = (!is_known).then(|| {
        let (has_run, thread) = (Arc::clone(&has_run), thread.clone());
        runtime.spawn(async move {
            has_run.store(true, Ordering::Release);
            thread.unpark();
        })
    });
    let mut end = pin!(Delay::new(PATIENCE));
    let waker = Waker::from(Arc::new(Unpark(thread)));
    let mut has_ended = || end.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
    if !has_ended() {
        sleep();
    }
    let Some(task) = task else { return true };
    if has_run.load(Ordering::Acquire) {
        HAS_RUN.set(Some(Instant::now()));
        return true;
    }
    task.abort();
    !has_ended()
}
