//! The time, and waits.
//!
//! In a tokio runtime they are those of its clock, which a test may have paused (`tokio::time::pause`). A platform
//! without a clock (WebAssembly without a host that has one) has a time that stands still, and waits that do not end.

#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "tokio-postgres",
        feature = "redis",
        feature = "memcached"
    )),
    path = "clock/no_runtime.rs"
)]
mod runtime;

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
pub(crate) fn wait_in_runtime(time: Duration) -> Option<Wait> {
    runtime::wait(time)
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

    use super::{Wait, runtime};

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> Duration {
        let start = *START;
        runtime::now().saturating_duration_since(start)
    }

    pub(super) fn now_of_threads() -> Duration {
        START.elapsed()
    }

    pub(super) fn wait(time: Duration) -> Wait {
        Box::pin(Delay::new(time))
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
