//! Futures of a multi-thread runtime that are pinned to one thread.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::panic::Location;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::thread;

use tokio::task::JoinHandle;
use tokio_util::task::LocalPoolHandle;

use crate::call_stack::Site;
use crate::task::AsyncTask;

/// Pool of threads for futures that are not `Send`, for use in `Send` code such as the handlers of a
/// server.
///
/// Each thread has a scheduler of its own, so the requests on a thread share batches. A new request runs
/// on the thread with the fewest requests. Clones are handles to the same threads.
#[derive(Clone)]
pub struct Pool {
    threads: LocalPoolHandle,
}

impl Pool {
    /// Creates a pool of `threads` threads (at least 1).
    ///
    /// # Panics
    ///
    /// If the threads cannot be started.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads: LocalPoolHandle::new(threads.max(1)) }
    }

    /// Runs the future that `make` returns on one of the threads. The future may use tasks and sources,
    /// which are not `Send`. It starts at once. Dropping the returned future cancels it.
    ///
    /// The future is a task: no batch is flushed while any part of it can run, also inside `join!` or
    /// `FuturesUnordered`.
    ///
    /// # Errors
    ///
    /// The returned future fails with a [`PinnedError`] if `make` or its future panics, or the pool is
    /// shut down.
    ///
    /// ```
    /// use asynq::{AsyncTask, Pool};
    ///
    /// let pool = Pool::new(2);
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    /// let request = pool.spawn_pinned(|| async { AsyncTask::new(async { 42 }).await });
    /// assert_eq!(runtime.block_on(request).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_pinned<M, F>(&self, make: M) -> Pinned<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + 'static,
    {
        static PINNED: Site = Site::made("pinned future");
        let at = Location::caller();
        let task = move || AsyncTask::made_at(&PINNED, at, async { make().await });
        Pinned { handle: self.threads.spawn_pinned(task) }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.num_threads()).finish()
    }
}

/// Calls [`Pool::spawn_pinned`] on the pool of the process, which has a thread for each processor.
///
/// # Errors
///
/// The returned future fails with a [`PinnedError`] if `make` or its future panics.
///
/// # Panics
///
/// If the threads cannot be started.
#[track_caller]
pub fn spawn_pinned<M, F>(make: M) -> Pinned<F::Output>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output: Send> + 'static,
{
    static POOL: LazyLock<Pool> =
        LazyLock::new(|| Pool::new(thread::available_parallelism().map_or(1, NonZero::get)));
    POOL.spawn_pinned(make)
}

/// Handle to a future on a thread of a [`Pool`]. Dropping it cancels that future.
#[derive(Debug)]
#[must_use = "dropping it cancels the future on the pool"]
pub struct Pinned<T> {
    handle: JoinHandle<T>,
}

impl<T> Future for Pinned<T> {
    type Output = Result<T, PinnedError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.handle).poll(cx)).map_err(|error| {
            match error.try_into_panic() {
                Ok(payload) => {
                    let text = payload.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                    let text = text.unwrap_or("with a value that is not a string");
                    PinnedError { panic: Some(text.to_owned()) }
                }
                Err(_) => PinnedError { panic: None },
            }
        }))
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Error of a future on a [`Pool`] that panicked or was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedError {
    panic: Option<String>,
}

impl PinnedError {
    /// Returns the message of the panic with the asynq stack, or `None` if the pool was shut down.
    #[must_use]
    pub fn panic(&self) -> Option<&str> {
        self.panic.as_deref()
    }
}

impl fmt::Display for PinnedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            Some(text) => write!(f, "a pinned future panicked: {text}"),
            None => f.write_str("the pool of a pinned future was shut down"),
        }
    }
}

impl Error for PinnedError {}
