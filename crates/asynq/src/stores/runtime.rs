//! The tokio runtime of the stores that need one.
//!
//! The executor that awaits a load may have no runtime, or one that does not run while a synchronous call
//! blocks its thread, or one that ends before the connections of a pool. So the stores have a runtime of
//! their own, one for the process, and a connection may be used from any thread.

use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::scheduler::woken_by_thread;

/// Runtime with one thread, which only moves bytes.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("asynq-stores")
        .enable_all()
        .build()
        .expect("cannot start the thread `asynq-stores`, which runs the I/O of stores")
});

/// Runs `io` on the tokio runtime of the stores, and returns its output. Dropping the returned future cancels
/// `io`.
///
/// A loader whose function awaits I/O of tokio (reqwest, sqlx, …) needs a runtime that runs while it waits. A
/// synchronous call inside a tokio runtime blocks a thread of that runtime, and outside there is none. The
/// runtime of the stores has a thread of its own, so such a loader works anywhere:
///
/// ```
/// use std::time::Duration;
/// use asynq::{FutureBase, Loader, stores};
///
/// let square = Loader::new(|numbers: Vec<u32>| {
///     stores::run_io(async move {
///         tokio::time::sleep(Duration::from_millis(1)).await;        // or a request
///         numbers.into_iter().map(|number| number * number).collect::<Vec<_>>()
///     })
/// });
/// assert_eq!(square.load(3).value().unwrap(), 9);
/// ```
///
/// The runtime has one thread, so `io` must not block it.
///
/// # Panics
///
/// The returned future panics if `io` does.
pub async fn run_io<F>(io: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match woken_by_thread(AbortOnDropHandle::new(RUNTIME.spawn(io))).await {
        Ok(output) => output,
        // Nobody else can cancel it, so this is a panic.
        Err(error) => resume_unwind(error.into_panic()),
    }
}
