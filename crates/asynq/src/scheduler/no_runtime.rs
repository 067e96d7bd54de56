//! Replaces `runtime` where no feature needs tokio.

use std::task::Context;

#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "the same as with a runtime")]
pub(super) enum Standstill {
    Held,
    Idle,
}

#[expect(clippy::unnecessary_wraps, reason = "the same as with a runtime")]
pub(super) fn sleep(_is_woken_by_threads: bool, sleep: impl FnOnce()) -> Result<(), Standstill> {
    sleep();
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "the same as with a runtime")]
pub(crate) enum Held {
    Nothing,
    Worker,
    Runtime,
}

pub(crate) fn held() -> Held {
    Held::Nothing
}

pub(crate) fn wake_after_turn(cx: &mut Context<'_>) {
    cx.waker().wake_by_ref();
}

pub(crate) const MAX_QUESTIONS: u32 = 1;

pub(crate) struct RuntimeTurn;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same as with a runtime")]
impl RuntimeTurn {
    pub(crate) fn begin() -> Self {
        Self
    }

    pub(crate) fn has_come(&self) -> bool {
        true
    }

    pub(crate) fn goes_on(&mut self) -> Option<bool> {
        Some(true)
    }
}

pub(crate) fn without_budget<R>(f: impl FnOnce() -> R) -> R {
    f()
}
