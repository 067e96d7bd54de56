//! The tokio runtime in which the jobs of loaders run.

use std::future::Future;

use tokio::runtime::{Handle, RuntimeFlavor};

#[derive(Clone)]
pub(super) struct Runtime(Handle);

impl Runtime {
    /// Returns the runtime of this thread.
    pub(super) fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self)
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }

    /// Returns whether it has threads besides the one that runs it.
    pub(super) fn has_threads(&self) -> bool {
        self.0.runtime_flavor() != RuntimeFlavor::CurrentThread
    }
}

/// Lets the other tasks of the runtime run once.
pub(super) async fn turn() {
    tokio::task::yield_now().await;
}
