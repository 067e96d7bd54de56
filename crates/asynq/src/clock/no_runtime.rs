//! Replaces `runtime` where no feature needs tokio.

use std::time::Duration;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::time::Instant;

use super::Wait;

pub(super) fn wait(_: Duration) -> Option<Wait> {
    None
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(super) fn now() -> Instant {
    Instant::now()
}
