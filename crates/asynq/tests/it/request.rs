//! Requests on tokio: `Send` futures, where the handler runs.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use asynq::{
    AsyncContext, AsyncTask, FutureBase, Loader, ScopedValue, TaskErrorKind, all, asynq, request,
    with_context,
};
use futures::executor::block_on;
use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

use crate::common::{poll_outside, yield_now};

fn workers(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A loader that needs a timer of tokio.
fn slow() -> Loader<u32, u32> {
    Loader::new(|keys: Vec<u32>| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        keys
    })
}

#[test]
fn a_request_is_spawned_as_any_future() {
    let loader = slow();
    let handler = request({
        let loader = loader.clone();
        async move { loader.load(1).await.unwrap() + loader.load(2).await.unwrap() }
    });
    assert_eq!(workers(2).block_on(async { tokio::spawn(handler).await }).unwrap(), 3);
    assert_eq!(loader.stats().batches, 2);
}

#[test]
fn nested_queues_of_a_request_share_a_batch() {
    let loader = &Loader::new(|keys: Vec<u32>| keys).settle(0);
    let rows = (31..80).map(|row| join_all((0..row).map(move |key| loader.load(100 * row + key))));
    current_thread().block_on(request(join_all(rows)));
    assert_eq!(loader.stats().batches, 1);
}

static SEMAPHORE: Semaphore = Semaphore::const_new(1000);

#[test]
fn the_budget_of_a_task_of_tokio_splits_no_batch_of_a_request() {
    let loader = &Loader::new(|keys: Vec<u32>| keys).settle(0);
    let resolver = |key| async move {
        drop(SEMAPHORE.acquire().await.unwrap());
        loader.load(key).await.unwrap()
    };
    current_thread().block_on(request(join_all((0..400).map(resolver))));
    assert_eq!(loader.stats().batches, 1);
}

#[test]
fn a_request_that_was_woken_is_polled_before_its_keys_are_sent() {
    let loader = &Loader::new(|keys: Vec<u32>| keys).settle(0);
    let late = async {
        let mut is_second = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut is_second, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        loader.load(2).await.unwrap()
    };
    let values = current_thread().block_on(request(async { futures::join!(loader.load(1), late) }));
    assert_eq!((values.0.unwrap(), values.1, loader.stats().batches), (1, 2, 1));
}

#[test]
fn requests_that_come_together_share_batches() {
    let loader = slow();
    current_thread().block_on(async {
        let requests = (0..50).map(|key| {
            let loader = loader.clone();
            tokio::spawn(request(async move { loader.load(key).await.unwrap() }))
        });
        join_all(requests.collect::<Vec<_>>()).await;
    });
    assert_eq!(loader.stats().batches, 1);
}

#[test]
fn many_requests_on_many_threads_get_their_values() {
    let loader = slow();
    workers(4).block_on(async {
        let requests = (0..200).map(|number| {
            let loader = loader.clone();
            tokio::spawn(request(async move {
                let first = join_all((0..5).map(|key| loader.load(number + key))).await;
                let next = first.into_iter().map(|value| loader.load(1000 + value.unwrap()));
                join_all(next).await.into_iter().map(Result::unwrap).sum::<u32>()
            }))
        });
        for (number, request) in (0..).zip(requests.collect::<Vec<_>>()) {
            assert_eq!(request.await.unwrap(), 5 * (1000 + number) + 10);
        }
    });
}

tokio::task_local! {
    static USER: &'static str;
}

#[test]
fn a_request_has_the_task_locals_of_its_handler_and_its_batches_have_none() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let loader = Loader::new(|keys: Vec<u32>| async move {
        SEEN.fetch_add(usize::from(USER.try_with(|_| ()).is_ok()), Ordering::Relaxed);
        keys
    });
    let handler = USER.scope(
        "ann",
        request(async {
            loader.load(1).await.unwrap();
            USER.get()
        }),
    );
    assert_eq!(current_thread().block_on(handler), "ann");
    assert_eq!(SEEN.load(Ordering::Relaxed), 0);
}

#[test]
fn a_load_outside_of_requests_is_sent_although_nobody_polls_it() {
    let (called, was_called) = oneshot::channel();
    let called = Arc::new(std::sync::Mutex::new(Some(called)));
    let loader = Loader::new(move |keys: Vec<u32>| {
        if let Some(called) = called.lock().unwrap().take() {
            called.send(()).unwrap();
        }
        keys
    });
    let value = current_thread().block_on(async {
        let mut load = loader.load(1);
        assert!(futures::poll!(&mut load).is_pending());
        was_called.await.unwrap();
        load.await.unwrap()
    });
    assert_eq!(value, 1);
}

#[test]
fn loads_of_spawned_tasks_share_a_batch() {
    let loader = slow();
    current_thread().block_on(async {
        let tasks = (0..50).map(|key| {
            let loader = loader.clone();
            tokio::spawn(async move { loader.load(key).await.unwrap() })
        });
        join_all(tasks.collect::<Vec<_>>()).await;
    });
    assert_eq!(loader.stats().batches, 1);
}

#[test]
fn a_call_goes_on_when_the_request_that_began_it_is_dropped() {
    let loader = slow();
    let value = current_thread().block_on(async {
        let mut first = Box::pin(request(loader.load(1)));
        while loader.stats().batches == 0 {
            assert!(futures::poll!(&mut first).is_pending());
            tokio::task::yield_now().await;
        }
        let second = loader.load(1);
        drop(first);
        second.await.unwrap()
    });
    assert_eq!((value, loader.stats().batches), (1, 1));
}

#[test]
fn a_context_of_a_request_is_active_while_its_future_is_polled() {
    let (user, loader) = (ScopedValue::new("nobody"), slow());
    let (user, loader) = (&user, &loader);
    let as_user = |name| {
        request(with_context(user.override_with(name), async move {
            let before = user.get();
            loader.load(1).await.unwrap();
            (before, user.get())
        }))
    };
    let seen = current_thread().block_on(async { futures::join!(as_user("ann"), as_user("bob")) });
    assert_eq!(seen, (("ann", "ann"), ("bob", "bob")));
    assert_eq!(user.get(), "nobody");
}

#[test]
fn joins_of_the_library_work_in_a_request() {
    let loader = slow();
    let request = request({
        let loader = loader.clone();
        async move { all((0..3).map(|key| loader.load(key))).await.len() }
    });
    let values = workers(1).block_on(async { tokio::spawn(request).await.unwrap() });
    assert_eq!((values, loader.stats().batches), (3, 1));
}

static SLOW: LazyLock<Loader<u32, u32>> = LazyLock::new(slow);

#[asynq]
async fn page(key: u32) -> u32 {
    SLOW.load(key).await.unwrap()
}

#[test]
fn plain_calls_on_every_worker_of_a_runtime_return() {
    workers(2).block_on(async {
        let calls = (0..8).map(|key| tokio::spawn(async move { page(key) }));
        for (key, call) in (0..).zip(calls.collect::<Vec<_>>()) {
            assert_eq!(call.await.unwrap(), key);
        }
    });
}

#[test]
fn a_plain_call_that_holds_the_only_thread_of_a_runtime_is_an_error() {
    let line = line!() + 1;
    let slow = Loader::new(|keys: Vec<u32>| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        keys
    });
    let error =
        current_thread().block_on(async { AsyncTask::new(slow.load(1)).outcome().unwrap_err() });
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    let place = format!("{}:{line}", file!());
    assert!(error.message().contains("holds the only thread"), "{error}");
    assert!(error.message().contains(&place), "it names the place of the loader: {error}");
}

#[test]
fn a_plain_call_polls_the_batch_that_it_waits_for() {
    let loader = Loader::new(|keys: Vec<u32>| async move { keys });
    assert_eq!(current_thread().block_on(async { loader.load(1).value().unwrap() }), 1);
}

#[test]
fn a_task_that_a_runtime_awaits_loads_in_the_order_of_the_engine() {
    assert_eq!(
        current_thread().block_on(async { all((100..103).map(page::asynq)).await }),
        [100, 101, 102]
    );
}

/// Context that adds its name to those that are active on its thread.
struct Named(&'static str);

thread_local! {
    static ACTIVE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

impl AsyncContext for Named {
    fn resume(&self) {
        ACTIVE.with_borrow_mut(|active| active.push(self.0));
    }

    fn pause(&self) {
        assert_eq!(ACTIVE.with_borrow_mut(Vec::pop), Some(self.0));
    }
}

#[test]
fn a_request_in_a_context_may_go_on_on_another_thread() {
    let mut handler = Box::pin(request(with_context(Named("user"), async {
        let mut seen = vec![ACTIVE.with_borrow(Clone::clone)];
        with_context(Named("admin"), async {
            yield_now().await;
            seen.push(ACTIVE.with_borrow(Clone::clone));
        })
        .await;
        seen
    })));
    assert!(block_on(async { futures::poll!(&mut handler) }).is_pending());
    assert!(ACTIVE.with_borrow(Vec::is_empty));
    let seen = thread::spawn(move || block_on(handler)).join().unwrap();
    assert_eq!(seen, [vec!["user"], vec!["user", "admin"]]);
}

#[test]
fn a_future_that_yields_to_a_runtime_with_workers_splits_no_batch_of_a_request() {
    let loader = Loader::new(|keys: Vec<u32>| keys);
    let load = |key, loader: Loader<u32, u32>| async move {
        if key == 5 {
            tokio::task::yield_now().await;
        }
        loader.load(key).await.unwrap()
    };
    let loads = join_all((0..10).map(|key| load(key, loader.clone())));
    workers(1).block_on(async { tokio::spawn(request(loads)).await.unwrap() });
    assert_eq!(loader.stats().batches, 1);
}

#[test]
fn a_request_that_a_task_has_polled_meanwhile_misses_no_wake_up() {
    let (sender, receiver) = oneshot::channel();
    let mut request = Box::pin(request(receiver));
    assert!(poll_outside(&mut request).is_pending());
    let task = AsyncTask::new(async move {
        assert!(futures::poll!(&mut request).is_pending());
        Some(request)
    });
    let mut request = task.value().expect("the task returns it");
    sender.send(7).unwrap();
    assert_eq!(poll_outside(&mut request), Poll::Ready(Ok(7)));
}

#[cfg(feature = "blocking")]
#[test]
fn a_load_goes_on_after_the_thread_that_has_sent_its_key_has_ended() {
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = std::sync::Mutex::new(answers);
    let loader = Loader::blocking(move |keys: Vec<u32>| {
        answers.lock().unwrap().recv().unwrap();
        keys
    });
    let other = loader.clone();
    let sends = move || {
        let mut task = AsyncTask::new(async move { other.load(1).await.unwrap() });
        for _ in 0..3 {
            assert!(poll_outside(&mut task).is_pending());
        }
        // A task that is dropped gives its key up.
        std::mem::forget(task);
    };
    thread::spawn(sends).join().unwrap();
    let mut load = loader.load(1);
    assert!(poll_outside(&mut load).is_pending());
    answer.send(()).unwrap();
    assert_eq!(block_on(load).unwrap(), 1);
}
