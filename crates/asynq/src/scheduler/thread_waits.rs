//! The waits of a scheduler for other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of futures of a scheduler that wait for other threads.
#[derive(Clone, Default)]
pub(super) struct ThreadWaits(Arc<AtomicUsize>);

impl ThreadWaits {
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub(super) fn begin(&self) -> ThreadWait {
        self.0.fetch_add(1, Ordering::Relaxed);
        ThreadWait(self.clone())
    }
}

/// The wait of a future. It ends where the future is dropped, which may be another thread.
pub(super) struct ThreadWait(ThreadWaits);

impl Drop for ThreadWait {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
