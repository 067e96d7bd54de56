//! Loaders that several runtimes of tokio share, of which some stand still or have ended.

use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use asynq::loader::Load;
use asynq::{FutureBase, Loader, request};
use futures::executor::block_on;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// A runtime whose clock goes on when nothing else can, so that a wait for nothing ends.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
}

fn tens() -> Loader<u32, u32> {
    Loader::new(async |keys: Vec<u32>| keys.into_iter().map(|key| key * 10).collect::<Vec<_>>())
}

/// Returns the value of a key in a runtime, where it would wait for an hour at most.
fn load_in(runtime: &Runtime, loader: &Loader<u32, u32>, key: u32) -> u32 {
    runtime.block_on(async { timeout(HOUR, loader.load(key)).await }).expect("it is sent").unwrap()
}

/// Returns a load of a key that was sent in a runtime, and has no answer.
fn sent_in(runtime: &Runtime, loader: &Loader<u32, u32>, key: u32) -> Load<u32, u32> {
    let mut load = loader.load(key);
    runtime.block_on(async {
        while loader.stats().batches == 0 {
            assert!(futures::poll!(&mut load).is_pending());
            yield_now().await;
        }
    });
    load
}

/// Calls `f` on a thread of its own. Returns its result, unless that takes a minute.
fn within_a_minute<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (ended, end) = channel();
    thread::spawn(move || ended.send(f()));
    end.recv_timeout(MINUTE).expect("it ends")
}

#[test]
fn a_load_is_sent_after_a_runtime_has_ended_that_an_executor_had_held() {
    let loader = tens();
    let first = paused();
    assert_eq!(first.block_on(async { block_on(loader.load(1)).unwrap() }), 10);
    drop(first);
    assert_eq!(load_in(&paused(), &loader, 2), 20);
}

#[test]
fn a_load_is_sent_while_the_runtime_of_another_stands_still() {
    let loader = tens();
    let first = paused();
    let mut load = loader.load(1);
    assert!(first.block_on(async { futures::poll!(&mut load).is_pending() }));
    assert_eq!(load_in(&paused(), &loader, 2), 20);
    assert_eq!(first.block_on(load).unwrap(), 10);
    assert_eq!(loader.stats().batches, 1);
}

#[test]
fn a_timeout_holds_while_the_runtime_of_an_earlier_one_stands_still() {
    let loader = Loader::new(async |keys: Vec<u32>| match keys[..] {
        [1] => keys,
        _ => pending().await,
    });
    let loader = loader.timeout(MINUTE);
    let first = paused();
    assert_eq!(first.block_on(request(loader.load(1))).unwrap(), 1);
    let late = paused().block_on(async { timeout(HOUR, request(loader.load(2))).await });
    assert!(late.expect("it is late").unwrap_err().to_string().ends_with("no answer within 60s"));
    drop(first);
}

#[test]
fn a_load_is_late_although_the_runtime_that_has_sent_its_batch_stands_still() {
    let loader = Loader::new(async |_: Vec<u32>| pending::<Vec<u32>>().await).timeout(MINUTE);
    let first = paused();
    let _sent = sent_in(&first, &loader, 1);
    for late in [
        paused().block_on(async { timeout(HOUR, loader.load(1)).await }),
        paused().block_on(async { timeout(HOUR, request(loader.load(1))).await }),
    ] {
        assert!(
            late.expect("it is late").unwrap_err().to_string().ends_with("no answer within 60s")
        );
    }
    drop(first);
}

#[test]
fn a_load_says_that_the_runtime_was_shut_down_which_ran_its_batch_function() {
    let loader = Loader::new(async |_: Vec<u32>| pending::<Vec<u32>>().await);
    let first = paused();
    let load = sent_in(&first, &loader, 1);
    drop(first);
    let error = paused().block_on(load).unwrap_err().to_string();
    assert!(
        error.ends_with("the tokio runtime that ran the batch function was shut down"),
        "{error}"
    );
}

#[test]
fn a_request_goes_on_although_the_runtime_of_its_timer_is_shut_down() {
    let loader = tens().hold(HOUR).settle(0);
    let first = workers();
    let (is_held, held) = channel();
    let other = loader.clone();
    first.spawn(async move {
        let mut load = Box::pin(request(other.load(1)));
        assert!(futures::poll!(&mut load).is_pending());
        is_held.send(()).unwrap();
        load.await
    });
    held.recv_timeout(MINUTE).unwrap();
    let (is_polled, polled) = channel();
    let (answered, answer) = channel();
    thread::spawn(move || {
        let mut load = Box::pin(request(loader.load(2)));
        let value = paused().block_on(poll_fn(|cx| {
            let polled = load.as_mut().poll(cx);
            is_polled.send(()).unwrap();
            polled
        }));
        answered.send(value.unwrap()).unwrap();
    });
    polled.recv_timeout(MINUTE).unwrap();
    drop(first);
    assert_eq!(answer.recv_timeout(MINUTE), Ok(20));
}

#[test]
fn loads_go_on_in_a_runtime_that_was_shut_down() {
    let loader = tens();
    let runtime = paused();
    let handle = runtime.handle().clone();
    drop(runtime);
    let values = within_a_minute(move || {
        let _inside = handle.enter();
        let bare = block_on(loader.load(1));
        let in_request = block_on(request(loader.load(2)));
        [bare, in_request, loader.load(3).value()].map(Result::unwrap)
    });
    assert_eq!(values, [10, 20, 30]);
}

#[test]
fn a_task_that_loads_while_its_runtime_is_shut_down_sets_no_timer_without_end() {
    struct Loads(Loader<u32, u32>);

    impl Drop for Loads {
        fn drop(&mut self) {
            assert!(request(self.0.load(2)).now_or_never().is_none());
            assert!(self.0.load(3).now_or_never().is_none());
        }
    }

    let loader = tens().timeout(HOUR);
    for runtime in [paused(), workers()] {
        let loads = Loads(loader.clone());
        runtime.spawn(async move {
            let _loads = loads;
            pending::<()>().await;
        });
        drop(runtime);
    }
    assert_eq!(load_in(&paused(), &loader, 1), 10);
}

#[test]
fn a_call_begins_although_the_thread_that_sends_it_looks_whether_it_has_ended() {
    // A race of two threads, which was lost once in some ten thousand loads.
    let (loader, runtime) = (tens(), workers());
    let sum: u32 = within_a_minute(move || {
        thread::scope(|scope| {
            let load_many = || {
                let load = |key| runtime.block_on(request(loader.load(key))).unwrap();
                (0..4_000).map(load).sum::<u32>()
            };
            let threads = [(); 4].map(|()| scope.spawn(load_many));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    });
    assert_eq!(sum, 4 * 10 * (0..4_000).sum::<u32>());
}

#[test]
fn a_request_goes_on_in_an_executor_that_holds_the_only_thread_of_a_runtime() {
    for keys in [1, 5, 40] {
        let loader = tens();
        let (values, batches) = within_a_minute(move || {
            let load = async |key| {
                let first = loader.load(key).await.unwrap();
                loader.load(first + 1).await.unwrap()
            };
            let values =
                paused().block_on(async { block_on(request(join_all((0..keys).map(load)))) });
            (values, loader.stats().batches)
        });
        assert_eq!(values, (0..keys).map(|key| (key * 10 + 1) * 10).collect::<Vec<_>>());
        assert_eq!(batches, 2);
    }
}

#[test]
fn a_request_goes_on_in_an_executor_that_holds_a_worker_of_a_runtime() {
    let loader = tens();
    let value = within_a_minute(move || {
        let held = async move { block_on(request(async { loader.load(1).await.unwrap() })) };
        workers().block_on(async { tokio::spawn(held).await.unwrap() })
    });
    assert_eq!(value, 10);
}

#[test]
fn a_request_inside_of_another_one_may_be_blocked_on() {
    let loader = tens();
    let value = within_a_minute(move || {
        let inner = async { loader.load(1).await.unwrap() };
        paused().block_on(request(async {
            let before = loader.load(2).await.unwrap();
            before + block_on(request(inner))
        }))
    });
    assert_eq!(value, 30);
}

#[test]
fn a_request_that_needs_the_runtime_which_its_executor_holds_is_an_error() {
    let loader = Loader::new(async |keys: Vec<u32>| {
        sleep(Duration::from_millis(1)).await;
        keys
    });
    let error = within_a_minute(move || {
        let held = async move { block_on(request(loader.load(1))).unwrap() };
        let error = paused().block_on(AssertUnwindSafe(held).catch_unwind()).unwrap_err();
        *error.downcast::<String>().expect("a text")
    });
    assert!(error.starts_with(
        "a synchronous call would wait for ever, because it holds the only thread of the tokio runtime that has to go \
         on. It calls `block_on` of a request, made at "
    ));
    assert!(error.contains("batch function of the loader at "));
}

#[test]
fn requests_in_a_queue_of_one_task_share_a_round() {
    let loader = tens();
    let batches = paused().block_on(async {
        let load = async |key| loader.load(key).await.unwrap();
        let requests = (0..40).map(|key| request(load(key)));
        assert_eq!(join_all(requests).await[39], 390);
        loader.stats().batches
    });
    assert_eq!(batches, 1);
}

/// Awaits a load or request in a queue whose other future is pending, as a task of the runtime.
fn in_a_queue<F>(runtime: &Runtime, load: F) -> u32
where
    F: Future<Output = u32> + Send + 'static,
{
    let queue = async {
        let mut queue = FuturesUnordered::new();
        queue.push(sleep(HOUR).map(|()| 0).boxed());
        queue.push(load.boxed());
        queue.next().await.unwrap()
    };
    runtime.block_on(async { tokio::spawn(queue).await.unwrap() })
}

#[test]
fn a_queue_in_a_task_is_not_taken_for_an_executor_that_holds_the_runtime() {
    for runtime in [paused(), workers()] {
        let loader = Loader::new(async |keys: Vec<u32>| {
            sleep(Duration::from_millis(1)).await;
            keys
        });
        let (load, in_request) = (loader.load(1), loader.load(2));
        assert_eq!(in_a_queue(&runtime, async { load.await.unwrap() }), 1);
        assert_eq!(in_a_queue(&runtime, request(async { in_request.await.unwrap() })), 2);
    }
}
