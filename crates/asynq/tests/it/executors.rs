//! Our futures polled by other executors, on the same thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use asynq::{AsyncTask, FutureBase, TaskErrorKind, all, promise};
use expect_test::expect;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::common::{
    Log, assert_usable, knowing_itself, logged, message_of, poll_outside, source, store,
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

#[test]
fn a_task_is_awaited_by_another_executor() {
    let log = Log::new();
    let task = logged(&log, "task", store(&log, "numbers").item(1));
    assert_eq!(block_on(task), 10);
    assert_usable();
}

#[test]
fn items_joins_and_promises_are_awaited_by_another_executor() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    assert_eq!(block_on(numbers.item(1)).unwrap(), 10);
    let both = block_on(all([numbers.item(2), numbers.item(3)]));
    assert_eq!(both.map(Result::unwrap), [20, 30]);
    let (promise, future) = promise();
    let (value, ()) = block_on(async { futures::join!(future, async { promise.set_value(4) }) });
    assert_eq!(value, 4);
    assert_eq!(log.take(), "flush numbers [1]\nflush numbers [2, 3]\n");
    assert_usable();
}

#[test]
fn siblings_of_a_join_share_a_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = |n| {
        let numbers = numbers.clone();
        AsyncTask::new(async move { numbers.item(n).await.unwrap() })
    };
    let values = block_on(async { futures::join!(task(1), task(2), numbers.item(3)) });
    assert_eq!((values.0, values.1, values.2.unwrap()), (10, 20, 30));
    assert_eq!(log.take(), "flush numbers [3, 1, 2]\n");
}

#[test]
fn tasks_of_one_local_set_share_a_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    LocalSet::new().block_on(&runtime(), async {
        let requests: Vec<_> =
            (0..3).map(|n| spawn_local(logged(&log, "request", numbers.item(n)))).collect();
        for (n, request) in (0..3).zip(requests) {
            assert_eq!(request.await.unwrap(), 10 * n);
        }
    });
    expect![[r#"
        request starts
        request starts
        request starts
        flush numbers [0, 1, 2]
        request gets 0
        request gets 10
        request gets 20
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn io_of_tokio_inside_a_task_goes_on() {
    let value = runtime().block_on(async {
        let (mut client, mut server) = tokio::io::duplex(1);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reads = AsyncTask::new(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            client.write_all(b"done").await.unwrap();
            text
        });
        let answers = async {
            let mut stream = listener.accept().await.unwrap().0;
            let mut ping = [0; 4];
            stream.read_exact(&mut ping).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
        };
        let drains = async {
            let mut done = [0; 4];
            server.read_exact(&mut done).await.unwrap();
        };
        tokio::join!(reads, answers, drains).0
    });
    assert_eq!(value, "pong");
    assert_usable();
}

#[test]
fn a_task_that_waits_for_the_executor_by_yielding_does_not_starve_it() {
    let done = Rc::new(Cell::new(false));
    let waits = {
        let done = Rc::clone(&done);
        AsyncTask::new(poll_fn(move |cx| {
            if done.get() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    };
    let sets = async {
        for _ in 0..3 {
            yield_now().await;
        }
        done.set(true);
    };
    runtime().block_on(async { tokio::join!(waits, sets) });
}

#[test]
fn a_task_that_awaits_items_for_ever_can_be_aborted() {
    let numbers = store(&Log::new(), "numbers");
    let task = AsyncTask::new(async move {
        loop {
            numbers.item(1).await.unwrap();
        }
    });
    LocalSet::new().block_on(&runtime(), async {
        let request = spawn_local(task);
        yield_now().await;
        yield_now().await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
    });
    assert_usable();
}

#[test]
fn another_thread_wakes_a_task_that_is_polled_from_outside() {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::spawn(move || sender.send(7).unwrap());
    assert_eq!(block_on(AsyncTask::new(receiver)), Ok(7));
    thread.join().unwrap();
}

#[test]
fn a_promise_set_outside_wakes_the_task_that_waits_for_it() {
    let (promise, future) = promise();
    let value = LocalSet::new().block_on(&runtime(), async {
        let request = spawn_local(AsyncTask::new(async move { future.await + 1 }));
        for _ in 0..5 {
            yield_now().await;
        }
        promise.set_value(1);
        request.await.unwrap()
    });
    assert_eq!(value, 2);
}

#[test]
fn a_request_that_another_drives_is_told_of_its_end() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let mut pool = LocalPool::new();
    let shared = logged(&log, "shared", numbers.item(1));
    let ended = Rc::new(Cell::new(0));
    for task in [shared.clone(), shared] {
        let ended = Rc::clone(&ended);
        pool.spawner().spawn_local(task.map(move |n| ended.set(ended.get() + n))).unwrap();
    }
    pool.run();
    assert_eq!(ended.get(), 20);
}

#[test]
fn one_request_lost_interest_and_the_other_goes_on() {
    let (sender, receiver) = oneshot::channel();
    let (unblock, blocked) = oneshot::channel::<()>();
    let value = LocalSet::new().block_on(&runtime(), async {
        let request = spawn_local(AsyncTask::new(async move { receiver.await.unwrap() }));
        let dropped = spawn_local(async move {
            // Polled last before it is dropped, so that its waker is the one of the last drive.
            let mut other = AsyncTask::new(blocked);
            for _ in 0..3 {
                assert!(futures::poll!(&mut other).is_pending());
                yield_now().await;
            }
            drop(other);
            std::future::pending::<()>().await;
        });
        for _ in 0..10 {
            yield_now().await;
        }
        sender.send(5).unwrap();
        let value = request.await.unwrap();
        dropped.abort();
        value
    });
    drop(unblock);
    assert_eq!(value, 5);
}

#[test]
fn a_panic_reaches_the_one_who_awaits_outside() {
    let fails = AsyncTask::<()>::new(async { panic!("no luck") });
    let message = message_of(|| block_on(fails));
    assert!(message.starts_with("no luck\n"), "{message}");
    assert_usable();
}

#[test]
fn a_panic_of_one_request_spares_the_others() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let fails = AsyncTask::<()>::new(async { panic!("no luck") });
    let (failed, value) =
        block_on(async { futures::join!(AssertUnwindSafe(fails).catch_unwind(), numbers.item(1)) });
    assert!(failed.is_err());
    assert_eq!(value.unwrap(), 10);
    assert_usable();
}

#[test]
fn a_deadlock_of_one_request_fails_that_request_only() {
    let (promise, future) = promise();
    let value = LocalSet::new().block_on(&runtime(), async {
        let circle = spawn_local(async {
            AssertUnwindSafe(knowing_itself(|this: AsyncTask<u32>| this)).catch_unwind().await
        });
        let other = spawn_local(AsyncTask::new(future));
        let failed = *circle.await.unwrap().unwrap_err().downcast::<String>().unwrap();
        assert!(failed.starts_with("deadlock: these tasks can never go on"), "{failed}");
        promise.set_value(3);
        other.await.unwrap()
    });
    assert_eq!(value, 3);
    assert_usable();
}

#[test]
fn a_future_that_nobody_can_wake_is_a_deadlock_outside_too() {
    let message = message_of(|| block_on(AsyncTask::new(std::future::pending::<()>())));
    assert!(message.contains("a future that nobody will wake"), "{message}");
    assert_usable();
}

#[test]
fn a_request_dropped_in_the_middle_leaves_nothing_behind() {
    let (sender, receiver) = oneshot::channel::<()>();
    let mut request = AsyncTask::new(receiver);
    for _ in 0..3 {
        assert!(poll_outside(&mut request).is_pending());
    }
    drop(request);
    assert!(sender.is_canceled());
    assert_usable();
}

#[test]
fn a_runtime_dropped_with_requests_pending_leaves_the_scheduler_usable() {
    let runtime = runtime();
    let local = LocalSet::new();
    let (sender, receiver) = oneshot::channel::<()>();
    local.block_on(&runtime, async {
        spawn_local(AsyncTask::new(receiver));
        for _ in 0..5 {
            yield_now().await;
        }
    });
    drop(local);
    drop(runtime);
    assert!(sender.is_canceled());
    assert_usable();
}

#[test]
fn a_plain_call_while_requests_are_outstanding_returns() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (sender, receiver) = oneshot::channel();
    let mut request = pin!(AsyncTask::new(async move { receiver.await.unwrap() }));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(request.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(numbers.item(1).value().unwrap(), 10);
    let failed = AsyncTask::new(async { panic!("no luck") }).outcome();
    assert_eq!(failed.unwrap_err().kind(), TaskErrorKind::Panicked);
    sender.send(3).unwrap();
    assert_eq!(block_on(request), 3);
    assert_usable();
}

#[test]
fn a_plain_call_that_panics_between_two_polls_panics_as_anywhere() {
    let (_sender, receiver) = oneshot::channel::<()>();
    let mut request = AsyncTask::new(receiver);
    for _ in 0..2 {
        assert!(poll_outside(&mut request).is_pending());
    }
    let message = message_of(|| AsyncTask::new(async { panic!("no luck") }).value());
    assert!(message.starts_with("no luck\n"), "{message}");
}

#[test]
fn block_on_inside_a_synchronous_call_inside_a_task_works() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = AsyncTask::new(async move {
        let calls = async { AsyncTask::new(async move { numbers.item(1).await }).value() };
        block_on(calls).unwrap()
    });
    assert_eq!(task.value(), 10);
    assert_usable();
}

#[test]
fn block_on_inside_a_flush_drives_what_it_waits_for() {
    let log = Log::new();
    let inner = store(&log, "inner");
    let outer = source("outer", move |items| {
        let value = block_on(inner.item(1)).unwrap();
        items.set_values(|key| Some(key + value));
    });
    assert_eq!(outer.item(2).value().unwrap(), 12);
    assert_eq!(log.take(), "flush inner [1]\n");
    assert_usable();
}

#[test]
fn what_a_join_requests_inside_a_flush_starts_in_its_order() {
    let log = Log::new();
    let inner = store(&log, "inner");
    let outer = {
        let log = log.clone();
        source("outer", move |items| {
            let both = all(["a", "b"].map(|name| logged(&log, name, inner.item(1))));
            assert_eq!(block_on(both), [10, 10]);
            items.set_values(|&key| Some(key));
        })
    };
    outer.item(2).value().unwrap();
    assert_eq!(log.take(), "a starts\nb starts\nflush inner [1, 1]\na gets 10\nb gets 10\n");
}

#[test]
fn an_outside_waker_that_panics_leaves_the_scheduler_usable() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let log = Log::new();
    let mut request = logged(&log, "request", store(&log, "numbers").item(1));
    let waker = Waker::from(std::sync::Arc::new(Bad));
    let mut cx = Context::from_waker(&waker);
    let polled = catch_unwind(AssertUnwindSafe(|| request.poll_unpin(&mut cx)));
    assert!(polled.is_err());
    assert_eq!(block_on(request), 10);
    assert_usable();
}
