//! Wakers of other executors: which of them the scheduler wakes, when, and how long it keeps them.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use asynq::{AsyncTask, Batch, FutureBase, Items, ScopedValue, Source, promise, with_context};
use futures::FutureExt;

use crate::common::{Log, assert_usable, message_of, poll_outside, source, store, yield_now};

/// Executor that counts how often it is woken, and panics then if it is told to.
#[derive(Default)]
struct Executor {
    wakes: AtomicUsize,
    panics: AtomicBool,
}

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics.load(Ordering::Relaxed), "a bad waker");
    }
}

impl Executor {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn poll<F: Future + Unpin>(self: &Arc<Self>, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(self));
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }

    /// Polls a future that stays pending until the scheduler has nothing left to do.
    fn poll_to_sleep(self: &Arc<Self>, future: &mut (impl Future + Unpin)) {
        for _ in 0..2 {
            assert!(self.poll(future).is_pending());
        }
        self.take_wakes();
    }

    /// Number of wakes since the last call.
    fn take_wakes(&self) -> usize {
        self.wakes.swap(0, Ordering::Relaxed)
    }

    fn set_panics(&self, panics: bool) {
        self.panics.store(panics, Ordering::Relaxed);
    }
}

#[test]
fn an_executor_that_polls_twice_is_woken_once() {
    let executor = Executor::new();
    let (promise, mut future) = promise();
    executor.poll_to_sleep(&mut future);
    promise.set_value(1);
    assert_eq!(executor.take_wakes(), 1);
    assert_eq!(future.now_or_never(), Some(1));
}

#[test]
fn an_executor_is_not_woken_by_what_another_one_drives() {
    let executor = Executor::new();
    let (promise, future) = promise();
    let mut waits = AsyncTask::new(future);
    executor.poll_to_sleep(&mut waits);
    let mut ends = AsyncTask::new(async {});
    assert!(poll_outside(&mut ends).is_pending());
    assert!(poll_outside(&mut ends).is_ready());
    assert_eq!(executor.take_wakes(), 0);
    promise.set_value(());
    assert!(executor.poll(&mut waits).is_ready());
}

#[test]
fn the_end_of_a_flush_wakes_the_executor_that_was_polled_inside() {
    let executor = Executor::new();
    let request = Rc::new(Cell::new(None::<AsyncTask<u32>>));
    let numbers = {
        let (executor, request) = (Arc::clone(&executor), Rc::clone(&request));
        source("numbers", move |items| {
            let mut polled = request.take().expect("flushed once");
            executor.poll_to_sleep(&mut polled);
            request.set(Some(polled));
            items.set_values(|key| Some(key * 10));
        })
    };
    let item = numbers.item(1);
    let batch = item.batch();
    request.set(Some(AsyncTask::new(async move { item.await.unwrap() })));
    batch.flush();
    assert_eq!(executor.take_wakes(), 1);
    assert_eq!(executor.poll(&mut request.take().unwrap()), Poll::Ready(10));
    assert_usable();
}

#[test]
fn no_waker_is_kept_after_the_last_request() {
    let executor = Executor::new();
    let mut request = AsyncTask::new(store(&Log::new(), "numbers").item(1));
    assert!(executor.poll(&mut request).is_pending());
    assert!(executor.poll(&mut request).is_ready());
    assert_eq!(Arc::strong_count(&executor), 1);
}

#[test]
fn a_request_goes_on_after_its_waker_has_panicked() {
    let executor = Executor::new();
    // It yields more often than one poll allows: the scheduler then wakes the executor.
    let mut request = AsyncTask::new(async {
        for _ in 0..200 {
            yield_now().await;
        }
        7
    });
    assert!(executor.poll(&mut request).is_pending());
    executor.set_panics(true);
    assert_eq!(message_of(|| executor.poll(&mut request)), "a bad waker");
    executor.set_panics(false);
    let mut polls = (0..10).map(|_| executor.poll(&mut request));
    assert!(polls.any(|polled| polled == Poll::Ready(7)));
    assert_usable();
}

#[test]
fn a_waker_that_panics_in_a_call_leaves_no_context_active() {
    let executor = Executor::new();
    let (promise, future) = promise();
    let mut request = AsyncTask::new(future);
    executor.poll_to_sleep(&mut request);
    executor.set_panics(true);
    let level = ScopedValue::new(0);
    let inside = AsyncTask::new(with_context(level.override_with(1), AsyncTask::new(async {})));
    // The end of the innermost task wakes the executor.
    assert_eq!(message_of(|| inside.clone().value()), "a bad waker");
    assert_eq!(level.get(), 0);
    executor.set_panics(false);
    inside.value();
    promise.set_value(1);
    assert_eq!(executor.poll(&mut request), Poll::Ready(1));
    assert_usable();
}

/// Value that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

/// Source whose flush cancels the task that waits for it. It comes before all other sources.
struct Bombs(Rc<Cell<Option<AsyncTask<()>>>>);

impl Batch for Bombs {
    type Key = ();
    type Value = Bomb;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        self.0.take().expect("flushed once").cancel();
        items.set_values(|()| Some(Bomb));
    }

    fn priority(&self) -> i64 {
        1
    }
}

#[test]
fn a_poll_that_panics_wakes_the_executors_of_other_requests() {
    let log = Log::new();
    let executor = Executor::new();
    let (promise, future) = promise();
    let numbers = store(&log, "numbers");
    let mut other = AsyncTask::new(async move {
        future.await;
        numbers.item(1).await.unwrap()
    });
    executor.poll_to_sleep(&mut other);
    let victim = Rc::new(Cell::new(None));
    let bomb = Source::new(Bombs(Rc::clone(&victim))).item(());
    let mut panics = AsyncTask::new(async move {
        promise.set_value(());
        drop(bomb.await);
    });
    victim.set(Some(panics.clone()));
    assert!(poll_outside(&mut panics).is_pending());
    // The flush of `Bombs` ends the poll before `numbers` can be flushed.
    assert_eq!(message_of(|| poll_outside(&mut panics)), "dropped");
    assert_eq!(log.take(), "");
    assert_eq!(executor.take_wakes(), 1);
    assert_eq!(executor.poll(&mut other), Poll::Ready(10));
    assert_usable();
}
