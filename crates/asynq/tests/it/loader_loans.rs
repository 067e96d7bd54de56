//! Permits that calls of batch functions lend to what they wait for through other calls.

use std::future::Future;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asynq::loader::Group;
use asynq::{BatchError, Loader, request};
use futures::FutureExt;
use futures::future::{BoxFuture, join};
use tokio::runtime::Builder;
use tokio::spawn;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

const MINUTE: Duration = Duration::from_secs(60);

/// Runs a future, which does not take a minute. Not on a simulated clock: that goes on when this thread has nothing to do,
/// and another one may be lending a permit.
fn run<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { timeout(MINUTE, future).await }).expect("it goes on")
}

/// A loader with one permit, whose function returns what `value` returns for the first key.
fn one_at_a_time(
    value: fn(u32) -> BoxFuture<'static, Result<u32, BatchError>>,
) -> Loader<u32, u32> {
    Loader::new(move |keys: Vec<u32>| async move { value(keys[0]).await.map(|value| vec![value]) })
        .max_in_flight(1)
        .max_batch_size(1)
}

#[test]
fn a_function_lends_its_permit_through_a_loader_without_limits() {
    static LIMITED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        one_at_a_time(|key| match key {
            1 => async { UNLIMITED.load(2).await }.boxed(),
            _ => async move { Ok(key * 10) }.boxed(),
        })
    });
    static UNLIMITED: LazyLock<Loader<u32, u32>> =
        LazyLock::new(|| Loader::new(async |keys: Vec<u32>| LIMITED.load_many(keys).await));

    assert_eq!(run(request(LIMITED.load(1))).unwrap(), 20);
    assert_eq!(run(LIMITED.load(1)).unwrap(), 20);
}

#[test]
fn a_function_lends_its_permit_to_what_a_call_in_flight_waits_for() {
    static GATE: Notify = Notify::const_new();
    static OUTER: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        Loader::new(async |_: Vec<u32>| {
            GATE.notified().await;
            LIMITED.load_many([2]).await
        })
    });
    static LIMITED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        one_at_a_time(|key| match key {
            1 => async { OUTER.load(0).await }.boxed(),
            _ => async move { Ok(key * 10) }.boxed(),
        })
    });

    run(async {
        let first = spawn(request(OUTER.load(0)));
        let second = spawn(request(LIMITED.load(1)));
        while LIMITED.stats().batches == 0 || OUTER.stats().batches == 0 {
            yield_now().await;
        }
        for _ in 0..100 {
            yield_now().await;
        }
        GATE.notify_one();
        assert_eq!(first.await.unwrap().unwrap(), 20);
        assert_eq!(second.await.unwrap().unwrap(), 20);
    });
}

#[test]
fn functions_with_one_permit_each_load_from_each_other() {
    static EVEN: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        one_at_a_time(|key| match key {
            0 => async { Ok(0) }.boxed(),
            _ => async move { ODD.load(key - 1).await }.boxed(),
        })
    });
    static ODD: LazyLock<Loader<u32, u32>> =
        LazyLock::new(|| one_at_a_time(|key| async move { EVEN.load(key - 1).await }.boxed()));

    assert_eq!(run(request(EVEN.load(10))).unwrap(), 0);
    // Each of the two holds what the other one needs.
    let (even, odd) = run(request(join(EVEN.load(10), ODD.load(9))));
    assert_eq!((even.unwrap(), odd.unwrap()), (0, 0));
    let (even, odd) = run(join(EVEN.load(8), ODD.load(11)));
    assert_eq!((even.unwrap(), odd.unwrap()), (0, 0));
}

#[test]
fn a_function_lends_its_permit_to_one_part_after_the_other() {
    static LIMITED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        one_at_a_time(|key| match key {
            0 => async { Ok(LIMITED.load_many([1, 2, 3]).await?.iter().sum()) }.boxed(),
            _ => async move { Ok(key * 10) }.boxed(),
        })
    });

    assert_eq!(run(request(LIMITED.load(0))).unwrap(), 60);
    assert_eq!(LIMITED.stats().batches, 4);
}

#[test]
fn a_permit_that_nobody_waits_for_inside_is_not_lent() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    static OTHER: LazyLock<Loader<u32, u32>> =
        LazyLock::new(|| Loader::new(async |keys: Vec<u32>| keys));
    static LIMITED: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        one_at_a_time(|key| {
            async move {
                MOST.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let value = OTHER.load(key).await;
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                value
            }
            .boxed()
        })
    });

    assert_eq!(run(request(LIMITED.load_many(0..5))).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
}

#[test]
fn a_part_that_has_one_of_its_permits_lends_it_to_what_the_holder_of_the_other_waits_for() {
    static GATE: Notify = Notify::const_new();
    static GROUP: LazyLock<Group> = LazyLock::new(|| Group::new().max_in_flight(1));
    static OUTER: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
        let outer = Loader::new(async |_: Vec<u32>| {
            GATE.notified().await;
            INNER.load_many([2]).await
        });
        outer.group(&GROUP)
    });
    static INNER: LazyLock<Loader<u32, u32>> =
        LazyLock::new(|| one_at_a_time(|key| async move { Ok(key * 10) }.boxed()).group(&GROUP));

    run(async {
        let first = spawn(request(OUTER.load(0)));
        while OUTER.stats().batches == 0 {
            yield_now().await;
        }
        let second = spawn(request(INNER.load(1)));
        for _ in 0..100 {
            yield_now().await;
        }
        GATE.notify_one();
        assert_eq!(first.await.unwrap().unwrap(), 20);
        assert_eq!(second.await.unwrap().unwrap(), 10);
    });
}
