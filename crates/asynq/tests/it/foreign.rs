//! Futures that are not ours inside tasks, and ours inside combinators that are not.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use asynq::{AsyncTask, FutureBase, ScopedValue, TaskErrorKind, all, debug, with_context};
use expect_test::expect;
use futures::SinkExt;
use futures::channel::{mpsc as channel, oneshot};
use futures::future::select;
use futures::stream::StreamExt;

use crate::common::{Log, assert_usable, later, logged, store, yield_now};

#[test]
fn a_channel_within_the_thread_connects_tasks() {
    let (mut sender, receiver) = channel::channel(1);
    let sends = AsyncTask::new(async move {
        for n in 0..5 {
            sender.send(n).await.unwrap();
            debug::sync().await;
        }
    });
    let collects = AsyncTask::new(receiver.collect::<Vec<_>>());
    assert_eq!(all((collects, sends)).value().0, [0, 1, 2, 3, 4]);
}

#[test]
fn another_thread_may_wake_a_task() {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(move || sender.send(7).unwrap());
    assert_eq!(AsyncTask::new(receiver).value(), Ok(7));
    thread.join().unwrap();
}

#[test]
fn another_thread_may_wake_a_task_that_waits_for_a_batch_as_well() {
    let (start, started) = mpsc::channel();
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(move || {
        started.recv().unwrap();
        sender.send(7).unwrap();
    });
    let task = AsyncTask::new(async move {
        futures::join!(receiver, async move {
            debug::sync().await;
            // Only now: the task sleeps until the thread answers.
            start.send(()).unwrap();
        })
    });
    assert_eq!(task.value().0, Ok(7));
    thread.join().unwrap();
}

#[test]
fn others_run_while_a_task_waits_for_another_thread() {
    let log = Log::new();
    let (ask, asked) = mpsc::channel();
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(move || {
        asked.recv().unwrap();
        sender.send(7).unwrap();
    });
    let waits = {
        let log = log.clone();
        AsyncTask::new(async move { log.add(receiver.await.unwrap()) })
    };
    let numbers = store(&log, "numbers");
    let works = AsyncTask::new(async move {
        numbers.item(1).await.unwrap();
        ask.send(()).unwrap();
    });
    all((waits, works)).value();
    assert_eq!(log.take(), "flush numbers [1]\n7\n");
    thread.join().unwrap();
}

#[test]
fn a_task_that_yields_lets_others_run_first() {
    let log = Log::new();
    let yields = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("before");
            yield_now().await;
            log.add("after");
        })
    };
    let other = {
        let log = log.clone();
        AsyncTask::new(async move { log.add("other") })
    };
    all((yields, other)).value();
    assert_eq!(log.take(), "before\nother\nafter\n");
}

#[test]
fn a_task_that_yields_goes_on_before_the_next_flush() {
    let log = Log::new();
    let item = store(&log, "numbers").item(1);
    let yields = {
        let log = log.clone();
        AsyncTask::new(async move {
            for _ in 0..3 {
                yield_now().await;
            }
            log.add("has yielded three times");
        })
    };
    all((logged(&log, "waits", item), yields)).value();
    expect![[r#"
        waits starts
        has yielded three times
        flush numbers [1]
        waits gets 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_branch_that_yields_goes_on_while_its_sibling_waits() {
    let log = Log::new();
    let item = store(&log, "numbers").item(1);
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            let yields = async {
                yield_now().await;
                log.add("has yielded");
            };
            futures::join!(item, yields).0.unwrap()
        })
    };
    assert_eq!(task.value(), 10);
    assert_eq!(log.take(), "has yielded\nflush numbers [1]\n");
}

#[test]
fn a_branch_that_is_woken_does_not_see_the_context_of_its_sibling() {
    let level = ScopedValue::new(0);
    let (sender, receiver) = oneshot::channel();
    let task = {
        let level = level.clone();
        AsyncTask::new(async move {
            let inside = with_context(level.override_with(1), debug::sync());
            let woken = async {
                receiver.await.unwrap();
                level.get()
            };
            futures::join!(woken, inside).0
        })
    };
    let sends = AsyncTask::new(async move { sender.send(()).unwrap() });
    assert_eq!(all((task, sends)).value().0, 0);
}

#[test]
fn a_wake_up_during_a_synchronous_call_is_not_lost() {
    let (sender, receiver) = oneshot::channel();
    let task = AsyncTask::new(async move {
        let calls = async { AsyncTask::new(async move { sender.send(7).unwrap() }).value() };
        futures::join!(receiver, calls).0
    });
    assert_eq!(task.value(), Ok(7));
}

#[test]
fn a_wake_up_by_another_thread_during_the_poll_is_not_lost() {
    let task = AsyncTask::new(async {
        let mut woken = false;
        poll_fn(|cx| {
            if woken {
                return Poll::Ready(());
            }
            woken = true;
            let waker = cx.waker().clone();
            // It has used up the waker before the poll ends.
            thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Pending
        })
        .await;
    });
    task.value();
}

/// Keeps the waker of whoever awaits it, and never ends by itself.
#[derive(Clone, Default)]
struct Keeps(Rc<RefCell<Option<Waker>>>);

impl Future for Keeps {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

#[test]
fn a_waker_may_be_used_after_its_task_has_ended() {
    let keeps = Keeps::default();
    AsyncTask::new(select(keeps.clone(), later(1))).value();
    let waker = keeps.0.take().unwrap();
    waker.wake_by_ref();
    waker.wake();
    assert_usable();
}

#[test]
fn a_waker_may_be_used_by_another_thread_after_its_task_has_ended() {
    let keeps = Keeps::default();
    AsyncTask::new(select(keeps.clone(), later(1))).value();
    let waker = keeps.0.take().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
    assert_usable();
}

#[test]
fn a_waker_may_outlive_the_thread_of_its_task() {
    let waker = thread::spawn(|| {
        let (sender, receiver) = mpsc::channel();
        AsyncTask::new(async move {
            poll_fn(|cx| {
                sender.send(cx.waker().clone()).unwrap();
                Poll::Ready(())
            })
            .await;
        })
        .value();
        receiver.recv().unwrap()
    });
    waker.join().unwrap().wake();
}

#[test]
fn a_waker_of_an_ended_task_does_not_wake_another() {
    let (first, polls) = (Keeps::default(), Rc::new(Cell::new(0)));
    AsyncTask::new(select(first.clone(), later(1))).value();
    let stale = first.0.take().unwrap();
    let other = {
        let (keeps, polls) = (Keeps::default(), Rc::clone(&polls));
        AsyncTask::new(select(
            later(2),
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                Pin::new(&mut keeps.clone()).poll(cx)
            }),
        ))
    };
    let wakes = AsyncTask::new(async move { stale.wake() });
    all((AsyncTask::new(async move { drop(other.await) }), wakes)).value();
    assert_eq!(polls.get(), 1, "polled again only for what it waits for");
}

#[test]
fn a_future_that_nobody_can_wake_is_a_deadlock() {
    let error = AsyncTask::new(pending::<()>()).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert!(error.message().contains("a future that nobody will wake"), "{error}");
    assert_usable();
}

#[test]
fn a_future_of_another_executor_may_be_awaited_inside_a_task() {
    let (sender, receiver) = oneshot::channel();
    let task = AsyncTask::new(async move {
        let remote = thread::spawn(move || {
            futures::executor::block_on(async { sender.send(AsyncTask::new(async { 5 }).value()) })
        });
        let value = receiver.await.unwrap();
        remote.join().unwrap().unwrap();
        value
    });
    assert_eq!(task.value(), 5);
}

#[test]
fn a_synchronous_call_works_inside_another_executor() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let value = futures::executor::block_on(async { numbers.item(1).value().unwrap() });
    assert_eq!(value, 10);
}
