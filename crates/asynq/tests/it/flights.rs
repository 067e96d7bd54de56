//! Flushes that go on after they were begun: those that await something.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use asynq::{AsyncTask, FutureBase, Source, TaskErrorKind, all, debug, promise, try_all};
use expect_test::expect;
use futures::channel::oneshot;

use crate::common::{self, By, Later, Log, assert_usable, logged, source, store};

/// A source whose flush asks another one for each key, and adds one to the values.
fn on_top_of(log: &Log, inner: &Source<common::Store>) -> Source<By<Later>> {
    let (log, inner) = (log.clone(), inner.clone());
    source("outer", move |items| -> Later {
        let (log, inner) = (log.clone(), inner.clone());
        Box::pin(async move {
            log.add(format_args!("flush outer {:?}", items.keys()));
            let values = try_all(items.keys().iter().map(|&key| inner.item(key))).await.unwrap();
            for (item, value) in items.iter().zip(values) {
                item.set_value(value + 1);
            }
            log.add("flush outer ends");
        })
    })
}

#[test]
fn a_flush_may_await_another_source() {
    let log = Log::new();
    let outer = on_top_of(&log, &store(&log, "inner"));
    assert_eq!(try_all([outer.item(1), outer.item(2)]).value().unwrap(), [11, 21]);
    expect![[r#"
        flush outer [1, 2]
        flush inner [1, 2]
        flush outer ends
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn what_a_flush_awaits_shares_its_round_with_what_tasks_await() {
    let log = Log::new();
    let inner = store(&log, "inner");
    let outer = on_top_of(&log, &inner);
    // `outer` has more items, so it goes first, and finds the item of the task in `inner`.
    let task = logged(&log, "task", inner.item(9));
    all((try_all([outer.item(1), outer.item(2)]), task)).value().0.unwrap();
    expect![[r#"
        task starts
        flush outer [1, 2]
        flush inner [9, 1, 2]
        task gets 90
        flush outer ends
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_flush_may_await_a_task() {
    let numbers = source("numbers", |items| -> Later {
        Box::pin(async move {
            let offset = AsyncTask::new(async {
                debug::sync().await;
                100
            });
            let offset = offset.await;
            items.set_values(|key| Some(key + offset));
        })
    });
    assert_eq!(numbers.item(1).value().unwrap(), 101);
}

#[test]
fn a_flush_that_ends_at_once_needs_no_round() {
    let numbers = source("numbers", |items| -> Later {
        Box::pin(async move { items.set_values(|&key| Some(key)) })
    });
    assert_eq!(numbers.item(1).value().unwrap(), 1);
}

#[test]
fn items_set_before_the_flush_ends_wake_those_who_wait() {
    let log = Log::new();
    let numbers = {
        let log = log.clone();
        source("numbers", move |items| -> Later {
            let log = log.clone();
            Box::pin(async move {
                for item in &items {
                    item.set_value(item.key() * 10);
                    debug::sync().await;
                }
                log.add("flush ends");
            })
        })
    };
    let task = |key| {
        let (log, item) = (log.clone(), numbers.item(key));
        AsyncTask::new(async move { log.add(item.await.unwrap()) })
    };
    all([task(1), task(2)]).value();
    // Nobody needs the end of the flush: the call returns without it.
    assert_eq!(log.take(), "10\n20\n");
}

/// A source whose flush hands the keys to a thread, and awaits the answer.
fn remote(name: &'static str, requests: mpsc::Sender<Request>) -> Source<By<Later>> {
    source(name, move |items| -> Later {
        let (answer, answered) = oneshot::channel();
        requests.send(Request { name, keys: items.keys().to_vec(), answer }).unwrap();
        Box::pin(async move {
            let values = answered.await.unwrap();
            for (item, value) in items.iter().zip(values) {
                item.set_value(value);
            }
        })
    })
}

struct Request {
    name: &'static str,
    keys: Vec<u32>,
    answer: oneshot::Sender<Vec<u32>>,
}

impl Request {
    fn answer(self) {
        self.answer.send(self.keys.iter().map(|key| key * 10).collect()).unwrap();
    }
}

#[test]
fn a_flush_may_be_answered_by_another_thread() {
    let (requests, inbox) = mpsc::channel();
    let server = thread::spawn(move || inbox.into_iter().for_each(Request::answer));
    {
        let numbers = remote("numbers", requests);
        assert_eq!(try_all([numbers.item(1), numbers.item(2)]).value().unwrap(), [10, 20]);
    }
    server.join().unwrap();
}

#[test]
fn several_flushes_are_in_flight_at_once() {
    let (requests, inbox) = mpsc::channel();
    // Answers nothing before it has three requests.
    let server = thread::spawn(move || {
        let all: Vec<Request> = inbox.iter().take(3).collect();
        let names: Vec<_> = all.iter().map(|request| request.name).collect();
        all.into_iter().rev().for_each(Request::answer);
        names
    });
    let sources = ["a", "b", "c"].map(|name| remote(name, requests.clone()));
    let values = try_all(sources.each_ref().map(|source| source.item(1))).value().unwrap();
    assert_eq!(values, [10, 10, 10]);
    assert_eq!(server.join().unwrap(), ["a", "b", "c"]);
}

#[test]
fn others_run_and_flush_while_a_flush_is_in_flight() {
    let log = Log::new();
    let (requests, inbox) = mpsc::channel::<Request>();
    let (done, is_done) = mpsc::channel();
    let server = thread::spawn(move || {
        let request = inbox.recv().unwrap();
        is_done.recv().unwrap();
        request.answer();
    });
    let (far, near) = (remote("far", requests), store(&log, "near"));
    let far = far.item(1);
    let near = {
        let log = log.clone();
        AsyncTask::new(async move {
            let value = near.item(1).await.unwrap();
            let value = near.item(value).await.unwrap();
            log.add("near ends");
            done.send(()).unwrap();
            value
        })
    };
    let (far, near) = all((far, near)).value();
    assert_eq!((far.unwrap(), near), (10, 100));
    assert_eq!(log.take(), "flush near [1]\nflush near [10]\nnear ends\n");
    server.join().unwrap();
}

#[test]
fn a_synchronous_call_waits_only_for_what_it_needs() {
    let log = Log::new();
    let (requests, inbox) = mpsc::channel::<Request>();
    let (go, gone) = mpsc::channel();
    let server = thread::spawn(move || {
        let [outer, inner] = [inbox.recv().unwrap(), inbox.recv().unwrap()];
        // The outer answer comes first, but its task goes on after the call.
        outer.answer();
        inner.answer();
        gone.recv().unwrap();
    });
    let (outer, inner) = (remote("outer", requests.clone()), remote("inner", requests));
    let waits = {
        let (log, item) = (log.clone(), outer.item(1));
        AsyncTask::new(async move {
            let value = item.await.unwrap();
            log.add(format_args!("outer has {value}"));
        })
    };
    let calls = {
        let (log, batch) = (log.clone(), outer.open_batch());
        AsyncTask::new(async move {
            batch.flush();
            let value = inner.item(2).value().unwrap();
            log.add(format_args!("inner has {value}"));
            go.send(()).unwrap();
        })
    };
    all((waits, calls)).value();
    assert_eq!(log.take(), "inner has 20\nouter has 10\n");
    server.join().unwrap();
}

#[test]
fn an_item_made_while_the_flush_is_in_flight_opens_a_new_batch() {
    let log = Log::new();
    let outer = on_top_of(&log, &store(&log, "inner"));
    let first = outer.item(1);
    let batch = first.batch();
    batch.flush();
    assert!(batch.is_flushed());
    assert!(!first.is_computed());
    let second = outer.item(2);
    assert!(!second.batch().is_flushed());
    assert_eq!(try_all([first, second]).value().unwrap(), [11, 21]);
}

#[test]
fn the_error_of_a_flush_in_flight_goes_to_each_item_without_a_value() {
    let numbers = source("numbers", |items| -> Later<Result<(), &'static str>> {
        Box::pin(async move {
            items.iter().next().unwrap().set_value(1);
            debug::sync().await;
            Err("the connection was lost")
        })
    });
    let [first, second] = all([numbers.item(1), numbers.item(2)]).value();
    assert_eq!(first.unwrap(), 1);
    assert_eq!(second.unwrap_err().to_string(), "batch numbers: the connection was lost");
}

#[test]
fn an_item_forgotten_by_a_flush_in_flight_gets_an_error() {
    let numbers = source("numbers", |_| -> Later { Box::pin(async { debug::sync().await }) });
    let error = numbers.item(1).value().unwrap_err();
    assert!(matches!(error.kind(), asynq::BatchErrorKind::NotSet));
}

#[test]
fn a_panic_of_a_flush_in_flight_reaches_those_who_wait() {
    let numbers = source("numbers", |_| -> Later {
        Box::pin(async {
            debug::sync().await;
            panic!("out of numbers")
        })
    });
    let error = AsyncTask::new(numbers.item(1)).outcome().unwrap_err();
    assert_eq!((error.kind(), error.message()), (TaskErrorKind::Panicked, "out of numbers"));
    assert_usable();
}

#[test]
fn the_stack_of_a_panic_in_flight_names_the_place_of_the_source() {
    let line = line!() + 1;
    let numbers = source("numbers", |_| -> Later { Box::pin(async { panic!("no") }) });
    let error = AsyncTask::new(numbers.item(1)).outcome().unwrap_err();
    let stack = error.stack().to_string();
    let expected = format!("flush of a source, made at {}:{line}:", file!());
    assert!(stack.contains(&expected), "{stack}");
}

#[test]
fn a_flush_that_awaits_its_own_item_is_a_deadlock() {
    let this: Rc<RefCell<Option<asynq::BatchItem<By<Later>>>>> = Rc::default();
    let numbers = {
        let this = Rc::clone(&this);
        source("numbers", move |items| -> Later {
            let own = this.borrow_mut().take().unwrap();
            Box::pin(async move {
                let value = own.await.unwrap();
                items.set_values(|_| Some(value));
            })
        })
    };
    *this.borrow_mut() = Some(numbers.item(1));
    let error = AsyncTask::new(numbers.item(2)).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    let text = error.to_string();
    assert!(text.contains("item 0 of numbers, which is being flushed"), "{text}");
    assert_usable();
}

#[test]
fn a_flush_that_waits_for_nothing_is_a_deadlock() {
    let numbers = source("numbers", |_| -> Later { Box::pin(std::future::pending()) });
    let error = AsyncTask::new(numbers.item(1)).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn a_flush_may_wait_for_a_promise_that_a_task_sets() {
    let (promise, future) = promise();
    let future = RefCell::new(Some(future));
    let numbers = source("numbers", move |items| -> Later {
        let future = future.take().unwrap();
        Box::pin(async move {
            let value: u32 = future.await;
            items.set_values(|_| Some(value));
        })
    });
    let setter = AsyncTask::new(async move {
        debug::sync_in("setter").await;
        promise.set_value(5);
    });
    assert_eq!(all((numbers.item(1), setter)).value().0.unwrap(), 5);
}

#[test]
fn a_synchronous_call_drives_a_flush_that_an_outer_call_has_begun() {
    let log = Log::new();
    let outer = on_top_of(&log, &store(&log, "inner"));
    let item = outer.item(1);
    let (first, second) = (outer.item(2), outer.item(3));
    let calling = {
        let log = log.clone();
        AsyncTask::new(async move {
            // Its flush has been begun, and waits for `inner`.
            item.batch().flush();
            log.add("calls");
            let value = item.value().unwrap();
            log.add(format_args!("has {value}"));
        })
    };
    all((calling, first, second)).value().1.unwrap();
    expect![[r#"
        calls
        flush outer [1, 2, 3]
        flush inner [1, 2, 3]
        flush outer ends
        has 11
    "#]]
    .assert_eq(&log.take());
}
