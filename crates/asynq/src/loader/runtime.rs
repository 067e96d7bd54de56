//! The tokio runtime in which the jobs of loaders run.

use std::future::Future;

use tokio::runtime::{Handle, Id, RuntimeFlavor};

#[derive(Clone)]
pub(super) struct Runtime(Handle);

/// Identity of a runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RuntimeId {
    id: Id,
    has_threads: bool,
}

impl RuntimeId {
    /// Returns whether tasks of the runtime run while the code goes on that calls this: it has threads of its own, or
    /// runs this code. A current-thread runtime between two calls of `block_on` runs nothing.
    pub(super) fn goes_on_here(self) -> bool {
        self.has_threads || Runtime::current().is_some_and(|current| current.id() == self)
    }
}

impl Runtime {
    /// Returns the runtime of this thread.
    pub(super) fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self)
    }

    pub(super) fn id(&self) -> RuntimeId {
        RuntimeId { id: self.0.id(), has_threads: self.has_threads() }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }

    /// Calls `f` as code in the runtime.
    pub(super) fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        let _inside = self.0.enter();
        f()
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
