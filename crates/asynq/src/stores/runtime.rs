//! Where the stores that need tokio do their I/O.
//!
//! Whoever awaits a load may have no runtime, or one that does not run as long as the thread is blocked
//! by a synchronous call, or that ends before the connections of a pool. So there is one for the whole
//! process, and a connection may be used from any thread.

use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// One thread: it only moves bytes.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("asynq-stores")
        .enable_all()
        .build()
        .expect("the system has a thread and a selector to spare")
});

/// Runs `io` there, and gives what comes of it. If it is dropped before, so is `io`.
pub(super) async fn run<F>(io: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match AbortOnDropHandle::new(RUNTIME.spawn(io)).await {
        Ok(output) => output,
        // Nobody else can abort it, so this is a panic.
        Err(error) => resume_unwind(error.into_panic()),
    }
}
