//! Requests of a multi-thread runtime on a pool of threads.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use asynq::{AsyncTask, Batch, Items, LocalLoader, Pool, Source, all, spawn_pinned};
use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

static FLUSHES: AtomicUsize = AtomicUsize::new(0);

struct Tens;

impl Batch for Tens {
    type Key = u32;
    type Value = u32;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        items.set_values(|key| Some(key * 10));
    }
}

thread_local! {
    static FIRST: Source<Tens> = Source::new(Tens);
    static SECOND: Source<Tens> = Source::new(Tens);
}

/// Two loads for each of ten keys, the second after the first.
async fn request(n: u32) -> u32 {
    let each = (0..10).map(|key| {
        AsyncTask::new(async move {
            let first = FIRST.with(|source| source.item(n + key)).await.unwrap();
            SECOND.with(|source| source.item(first)).await.unwrap()
        })
    });
    all(each).await.into_iter().sum()
}

#[test]
fn concurrent_requests_make_no_more_than_the_ideal_number_of_batches() {
    const REQUESTS: u32 = 50;
    let pool = Pool::new(2);
    runtime().block_on(async {
        let requests: Vec<_> =
            (0..REQUESTS).map(|n| tokio::spawn(pool.spawn_pinned(move || request(n)))).collect();
        for (n, request) in (0..REQUESTS).zip(requests) {
            assert_eq!(request.await.unwrap().unwrap(), 1000 * n + 4500);
        }
    });
    let flushes = FLUSHES.load(Ordering::Relaxed);
    assert!(flushes <= 2 * REQUESTS as usize, "{flushes} flushes, two a request are ideal");
}

/// From 31 futures on, `join_all` is a queue, which yields after a few polls.
#[test]
fn queues_of_futures_inside_each_other_share_a_batch() {
    let request = Pool::new(1).spawn_pinned(|| async {
        let same = &LocalLoader::new(|keys: Vec<u32>| keys);
        let load = |key| async move { same.load(key).await };
        let rows = (31..80).map(|row| join_all((0..row).map(move |key| load(100 * row + key))));
        join_all(rows).await;
        same.stats().batches
    });
    assert_eq!(runtime().block_on(request), Ok(1));
}

#[test]
fn the_pool_of_the_process_runs_a_request() {
    let value = runtime().block_on(spawn_pinned(|| async { AsyncTask::new(async { 1 }).await }));
    assert_eq!(value, Ok(1));
}

#[test]
fn a_panic_is_an_error_that_tells_of_it() {
    let pool = Pool::new(1);
    let fails = || AsyncTask::<()>::new(async { panic!("no luck") });
    let error = runtime().block_on(pool.spawn_pinned(fails)).unwrap_err();
    let text = error.panic().unwrap();
    assert!(text.starts_with("no luck\n"), "{error}");
    assert!(text.contains(concat!("pinned future, made at ", file!())), "{error}");
    let value =
        runtime().block_on(pool.spawn_pinned(|| async { AsyncTask::new(async { 1 }).await }));
    assert_eq!(value, Ok(1), "the thread goes on");
}

#[test]
fn a_request_whose_future_is_dropped_is_dropped() {
    let pool = Pool::new(1);
    let (sender, receiver) = oneshot::channel::<()>();
    let mut sender = sender;
    runtime().block_on(async {
        let (started, starts) = oneshot::channel();
        let pinned = pool.spawn_pinned(|| {
            AsyncTask::new(async {
                started.send(()).unwrap();
                receiver.await.unwrap();
            })
        });
        starts.await.unwrap();
        drop(pinned);
        sender.closed().await;
    });
}
