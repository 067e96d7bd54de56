//! The tokio runtime around the code that runs, if there is one: sleeping there, and its budget.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, unconstrained};

/// Calls `sleep`, which blocks this thread, so that the runtime around it goes on. Returns `false`, and does
/// not sleep, if that cannot be: this thread alone would run the runtime.
///
/// `is_woken_by_threads` says that other threads will end the sleep, whatever becomes of the runtime.
pub(super) fn sleep(is_woken_by_threads: bool, sleep: impl FnOnce()) -> bool {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    let is_blocking_allowed = match flavor {
        Err(_) => true,
        Ok(RuntimeFlavor::CurrentThread) => is_woken_by_threads,
        Ok(_) => false,
    };
    if is_blocking_allowed {
        sleep();
        return true;
    }
    // Moves the tasks of a worker to another thread. Panics on a thread that runs a runtime alone, and does
    // nothing on one that only belongs to a runtime.
    let slept = catch_unwind(AssertUnwindSafe(|| block_in_place(sleep))).is_ok();
    slept || is_woken_by_threads
}

/// Calls `f` outside of the budget of the task of tokio that runs. Within it, futures of tokio that have used it
/// up stay pending until the task gives its thread back.
pub(crate) fn without_budget<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let mut future = unconstrained(poll_fn(|_| match f.take() {
        Some(f) => Poll::Ready(f()),
        None => Poll::Pending,
    }));
    match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("it is polled once"),
    }
}
