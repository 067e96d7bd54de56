//! Futures that other threads wake, whatever this one does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::state;
use super::thread_waits::ThreadWait;

pin_project! {
    /// Future that another thread of this crate wakes: a synchronous call may sleep meanwhile, also on the thread
    /// that runs a current-thread runtime.
    pub(crate) struct WokenByThread<F> {
        #[pin]
        future: F,
        wait: Option<ThreadWait>,
    }
}

/// Marks `future` as one that another thread wakes.
pub(crate) fn woken_by_thread<F: Future>(future: F) -> WokenByThread<F> {
    WokenByThread { future, wait: None }
}

impl<F: Future> Future for WokenByThread<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.future.poll(cx);
        if polled.is_ready() {
            *this.wait = None;
        } else {
            this.wait
                .get_or_insert_with(|| state::with(|scheduler| scheduler.thread_waits.begin()));
        }
        polled
    }
}
