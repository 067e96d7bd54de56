//! Number of polls of the tasks.
//!
//! A task is polled once when it begins, and from then on always at the load that it waits for. So
//! its polls are one more than those of its loads that are not the first of a load.

#[cfg(feature = "count")]
mod counting {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AGAIN: AtomicU64 = AtomicU64::new(0);

    pub(crate) async fn counted<T>(load: impl Future<Output = T>) -> T {
        let mut load = pin!(load);
        let mut again = 0;
        poll_fn(|cx| {
            AGAIN.fetch_add(again, Ordering::Relaxed);
            again = 1;
            load.as_mut().poll(cx)
        })
        .await
    }

    /// Takes the number of loads that were polled again since the last call.
    pub(crate) fn take_again() -> u64 {
        AGAIN.swap(0, Ordering::Relaxed)
    }
}

#[cfg(feature = "count")]
pub(crate) use counting::{counted, take_again};

/// A load whose polls are counted, in the program that counts.
#[cfg(not(feature = "count"))]
pub(crate) fn counted<F>(load: F) -> F {
    load
}
