//! Replaces `runtime` where no feature needs tokio.

use std::task::Context;

pub(super) fn sleep(_is_woken_by_threads: bool, sleep: impl FnOnce()) -> bool {
    sleep();
    true
}

pub(crate) fn wake_after_turn(cx: &mut Context<'_>) {
    cx.waker().wake_by_ref();
}

pub(crate) fn without_budget<R>(f: impl FnOnce() -> R) -> R {
    f()
}
