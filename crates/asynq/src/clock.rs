//! The time, and waits.
//!
//! In a tokio runtime they are those of its clock, which a test may have paused (`tokio::time::pause`). A platform
//! without a clock (WebAssembly without a host that has one) has a time that stands still, and waits that do not end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A wait for a time.
pub(crate) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Returns the time since the first call in this process.
pub(crate) fn now() -> Duration {
    platform::now()
}

/// Returns the time by which `wait_by_thread` waits.
pub(crate) fn now_of_threads() -> Duration {
    platform::now_of_threads()
}

/// Returns a wait by the timers of the tokio runtime of this thread, if there are some.
#[cfg(any(
    feature = "tokio",
    feature = "tokio-postgres",
    feature = "redis",
    feature = "memcached"
))]
pub(crate) fn wait_in_runtime(time: Duration) -> Option<Wait> {
    use std::cell::Cell;
    use std::panic::catch_unwind;

    use tokio::runtime::Handle;
    use tokio::time::sleep;

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

#[cfg(not(any(
    feature = "tokio",
    feature = "tokio-postgres",
    feature = "redis",
    feature = "memcached"
)))]
pub(crate) fn wait_in_runtime(_: Duration) -> Option<Wait> {
    None
}

/// Returns a wait that a thread of this process ends, whatever this one does.
pub(crate) fn wait_by_thread(time: Duration) -> Wait {
    platform::wait(time)
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod platform {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    use futures_timer::Delay;

    use super::Wait;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> Duration {
        let start = *START;
        instant().saturating_duration_since(start)
    }

    pub(super) fn now_of_threads() -> Duration {
        START.elapsed()
    }

    pub(super) fn wait(time: Duration) -> Wait {
        Box::pin(Delay::new(time))
    }

    #[cfg(any(
        feature = "tokio",
        feature = "tokio-postgres",
        feature = "redis",
        feature = "memcached"
    ))]
    fn instant() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[cfg(not(any(
        feature = "tokio",
        feature = "tokio-postgres",
        feature = "redis",
        feature = "memcached"
    )))]
    fn instant() -> Instant {
        Instant::now()
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod platform {
    use std::future::pending;
    use std::time::Duration;

    use super::Wait;

    pub(super) fn now() -> Duration {
        Duration::ZERO
    }

    pub(super) fn now_of_threads() -> Duration {
        Duration::ZERO
    }

    pub(super) fn wait(_: Duration) -> Wait {
        Box::pin(pending())
    }
}
