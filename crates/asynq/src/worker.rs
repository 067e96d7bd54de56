//! Worker threads, on which functions run that block their thread.

use std::cell::Cell;
use std::future::Future;

use async_task::FallibleTask;

use crate::scheduler::woken_by_thread;

thread_local! {
    /// Number of functions of [`unblock`] that this thread is running, each called by the one before.
    static RUNNING: Cell<u32> = const { Cell::new(0) };
}

/// Depth at which nested functions are taken for an endless recursion. The stack of a worker thread
/// has room for more.
const MAX_NESTED: u32 = 32;

/// Runs a function that blocks its thread on a worker thread, from now on.
///
/// A function that a worker thread calls this with runs on that thread, when the future is polled. It
/// would otherwise wait for a second thread, and wait for ever once all threads do the same.
///
/// # Panics
///
/// The future panics if `function` does, or if 32 such functions are nested.
pub(crate) fn unblock<T: Send + 'static>(
    function: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let is_worker = RUNNING.get() > 0;
    let started =
        if is_worker { Err(function) } else { Ok(blocking::unblock(move || nested(function))) };
    async move {
        match started {
            Ok(task) => woken_by_thread(task).await,
            Err(function) => nested(function),
        }
    }
}

/// Call of a function, for an executor of the user.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs a function that blocks its thread in an executor. The future returns `None` if the executor
/// drops the job, and cancels a job that was not begun when it is dropped.
pub(crate) fn run_on<T: Send + 'static>(
    executor: &impl Fn(Job),
    function: impl FnOnce() -> T + Send + 'static,
) -> FallibleTask<T> {
    // Never scheduled again, since it awaits nothing.
    let (runnable, task) = async_task::spawn(async { nested(function) }, drop);
    executor(Box::new(move || {
        runnable.run();
    }));
    task.fallible()
}

fn nested<T>(function: impl FnOnce() -> T) -> T {
    struct Running(u32);

    impl Drop for Running {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }

    let depth = RUNNING.get();
    assert!(
        depth < MAX_NESTED,
        "{MAX_NESTED} blocking functions of loaders called each other on one worker thread: a \
         loader seems to call itself"
    );
    RUNNING.set(depth + 1);
    let _running = Running(depth);
    function()
}
