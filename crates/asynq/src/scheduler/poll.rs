//! The poll of a future of this crate.

use std::task::{Context, Poll};

use super::request::{Request, Requester};
use super::state;

/// Polls `future`: the running task requests its value in one await.
#[inline]
pub(crate) fn poll<F: Request>(future: &mut F, cx: &Context<'_>) -> Poll<F::Output> {
    if request(future, cx) { Poll::Pending } else { Poll::Ready(future.take()) }
}

/// Requests the value of `future`. Returns whether the task has to wait.
#[inline]
fn request(future: &mut impl Request, cx: &Context<'_>) -> bool {
    state::with(|scheduler| {
        let Some(own) = scheduler.polling.is_own(cx.waker()) else {
            return scheduler.request_foreign(future, cx.waker());
        };
        let pending = future.request(&Requester { scheduler, waker: (!own).then(|| cx.waker()) });
        if pending {
            scheduler.polling.count_await();
        }
        pending
    })
}
