//! The clock and the timers of the tokio runtime around the code that runs, if there is one.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::time::Duration;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::Wait;

/// Returns a wait by the timers of the tokio runtime of this thread, if there are some.
pub(super) fn wait(time: Duration) -> Option<Wait> {
    thread_local! {
        /// A runtime of this thread has no timers. Only a panic says so, which is reported once.
        static ARE_MISSING: Cell<bool> = const { Cell::new(false) };
    }

    if ARE_MISSING.get() || Handle::try_current().is_err() {
        return None;
    }
    let sleep = catch_unwind(|| sleep(time)).ok();
    ARE_MISSING.set(sleep.is_none());
    sleep.map(|sleep| Box::pin(sleep) as Wait)
}

/// Returns the time of the clock of tokio, which a test may have paused.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
