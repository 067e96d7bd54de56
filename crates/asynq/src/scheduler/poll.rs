//! The poll of a future of this crate.

use std::panic::Location;
use std::task::{Context, Poll};

use super::request::{Request, Requester};
use super::state;
use crate::recording;

/// Polls `future`: the running task requests its value in one await.
#[inline]
#[cfg_attr(feature = "explain", track_caller)]
pub(crate) fn poll<F: Request>(future: &mut F, cx: &Context<'_>) -> Poll<F::Output> {
    poll_pending(future, cx, F::request)
}

/// Polls `future`, which `request` requests in a poll by a task.
#[inline]
#[cfg_attr(feature = "explain", track_caller)]
pub(crate) fn poll_pending<F: Request>(
    future: &mut F,
    cx: &Context<'_>,
    request: impl Fn(&mut F, &Requester<'_>) -> bool,
) -> Poll<F::Output> {
    if is_pending(future, cx, request) { Poll::Pending } else { Poll::Ready(future.take()) }
}

/// Returns whether the running task has to wait for `future`, which `request` requests in a poll by a task.
#[inline(always)]
#[cfg_attr(feature = "explain", track_caller)]
pub(crate) fn is_pending<F: Request>(
    future: &mut F,
    cx: &Context<'_>,
    request: impl Fn(&mut F, &Requester<'_>) -> bool,
) -> bool {
    let at = Location::caller();
    state::with(|scheduler| {
        scheduler.enter_call();
        let Some(own) = scheduler.polling.is_own(cx.waker()) else {
            let pending = scheduler.request_foreign(future, cx.waker());
            if pending && recording::is_on() {
                recording::awaited(at);
            }
            return pending;
        };
        let waker = (!own).then(|| cx.waker());
        let mut pending = request(future, &Requester { scheduler, waker });
        if pending && !own && scheduler.poll_nested(cx.waker()) {
            pending = request(future, &Requester { scheduler, waker });
            scheduler.nested_polled.take();
        }
        if pending {
            scheduler.polling.count_await();
            if recording::is_on() {
                recording::awaited(at);
            }
        }
        pending
    })
}
