//! Replaces `runtime` where no feature needs tokio.

pub(super) fn sleep(_is_woken_by_threads: bool, sleep: impl FnOnce()) -> bool {
    sleep();
    true
}

pub(crate) fn without_budget<R>(f: impl FnOnce() -> R) -> R {
    f()
}
