//! Flushes that fail, and flushes in which other things happen at an awkward time.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use asynq::{AsyncTask, Batch, BoxError, FutureBase, Items, Source, TaskErrorKind, all, debug};
use futures::executor::block_on;

use crate::common::{self, By, Later, Log, assert_usable, message_of, source, store};

/// A place for what a flush is to use once.
type Once<T> = Rc<RefCell<Option<T>>>;

#[test]
fn a_call_in_a_flush_may_need_what_the_flush_has_set_already() {
    let waits: Once<AsyncTask<u32>> = Rc::default();
    let numbers = {
        let waits = Rc::clone(&waits);
        source("numbers", move |items| {
            for item in &items {
                item.set_value(item.key() * 10);
                if let Some(waits) = waits.take() {
                    assert_eq!(waits.value(), 10);
                }
            }
        })
    };
    let (first, second) = (numbers.item(1), numbers.item(2));
    let task = AsyncTask::new(async move { first.await.unwrap() });
    waits.replace(Some(task.clone()));
    let second = AsyncTask::new(async move { second.await.unwrap() });
    assert_eq!(all((task, second)).value(), (10, 20));
    assert_usable();
}

#[test]
fn another_executor_in_a_flush_may_need_what_the_flush_has_set_already() {
    let waits: Once<AsyncTask<u32>> = Rc::default();
    let numbers = {
        let waits = Rc::clone(&waits);
        source("numbers", move |items| {
            items.set_values(|&key| Some(key * 10));
            assert_eq!(block_on(waits.take().expect("flushed once")), 10);
        })
    };
    let item = numbers.item(1);
    let task = AsyncTask::new(async move { item.await.unwrap() });
    waits.replace(Some(task.clone()));
    assert_eq!(task.value(), 10);
    assert_usable();
}

#[test]
fn another_executor_in_a_flush_out_of_turn_may_need_what_the_flush_has_set_already() {
    let waits: Once<AsyncTask<u32>> = Rc::default();
    let numbers = {
        let waits = Rc::clone(&waits);
        source("numbers", move |items| {
            items.set_values(|&key| Some(key * 10));
            assert_eq!(block_on(waits.take().expect("flushed once")), 10);
        })
    };
    let first = debug::sync(); // Its batch is flushed first.
    let item = numbers.item(1);
    let batch = item.batch();
    let task = AsyncTask::new(async move { item.await.unwrap() });
    waits.replace(Some(task.clone()));
    // A call leaves the task behind, which waits for its item.
    AsyncTask::new(async move {
        let mut task = task;
        assert!(common::poll_once(&mut task).await.is_pending());
        first.await;
    })
    .value();
    batch.flush();
    assert!(waits.take().is_none());
    assert_usable();
}

#[test]
fn a_call_in_a_flush_within_a_flush_may_need_what_the_outer_one_has_set() {
    let waits: Once<AsyncTask<u32>> = Rc::default();
    let inner = {
        let waits = Rc::clone(&waits);
        source("inner", move |items| {
            let value = waits.take().expect("flushed once").value();
            items.set_values(|_| Some(value));
        })
    };
    let seen = Rc::new(Cell::new(None));
    let outer = {
        let seen = Rc::clone(&seen);
        source("outer", move |items| {
            items.set_values(|&key| Some(key * 10));
            let item = inner.item(1);
            // Out of turn: not a call that the outer flush makes itself.
            item.batch().flush();
            seen.set(item.value().ok());
        })
    };
    let item = outer.item(1);
    let task = AsyncTask::new(async move { item.await.unwrap() });
    waits.replace(Some(task.clone()));
    assert_eq!(task.value(), 10);
    assert_eq!(seen.get(), Some(10));
    assert_usable();
}

#[test]
fn a_call_in_a_flush_that_needs_what_is_not_set_is_a_deadlock() {
    let waits: Once<AsyncTask<u32>> = Rc::default();
    let numbers = {
        let waits = Rc::clone(&waits);
        source("numbers", move |items| {
            let error = waits.take().expect("flushed once").outcome().unwrap_err();
            assert_eq!(error.kind(), TaskErrorKind::Deadlock);
            items.set_values(|&key| Some(key * 10));
        })
    };
    let item = numbers.item(1);
    let task = AsyncTask::new(async move { item.await.unwrap() });
    waits.replace(Some(task.clone()));
    assert_eq!(task.value(), 10, "the flush sets it after all");
    assert_usable();
}

#[test]
fn a_flush_may_give_up_the_last_who_wait_for_it() {
    let waits: Once<AsyncTask<()>> = Rc::default();
    let numbers = {
        let waits = Rc::clone(&waits);
        source("numbers", move |items| {
            drop(waits.take());
            items.set_values(|&key| Some(key));
        })
    };
    let item = numbers.item(1);
    let batch = item.batch();
    let root = AsyncTask::new(async move {
        let mut task = AsyncTask::new(async move { drop(item.await) });
        assert!(common::poll_once(&mut task).await.is_pending());
        waits.replace(Some(task));
    });
    root.value();
    batch.flush();
    assert_usable();
}

#[test]
fn a_flush_that_awaits_may_cancel_the_last_who_wait_for_it() {
    let log = Log::new();
    let waits: Once<AsyncTask<()>> = Rc::default();
    let numbers = {
        let (log, waits) = (log.clone(), Rc::clone(&waits));
        source("numbers", move |items| -> Later {
            let (log, waits) = (log.clone(), Rc::clone(&waits));
            Box::pin(async move {
                debug::sync().await;
                waits.take().expect("flushed once").cancel();
                log.add("goes on to its next await");
                items.set_values(|&key| Some(key));
                debug::sync().await;
                log.add("never");
            })
        })
    };
    let item = numbers.item(1);
    drop(numbers);
    let task = AsyncTask::new(async move { drop(item.await) });
    waits.replace(Some(task.clone()));
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_eq!(log.take(), "goes on to its next await\n");
    assert_usable();
}

#[test]
fn a_panic_in_a_flush_that_awaited_reaches_those_without_a_value() {
    let numbers = source("numbers", |items| -> Later {
        Box::pin(async move {
            debug::sync().await;
            items.iter().next().expect("two items").set_value(10);
            panic!("half-way")
        })
    });
    let [first, second] = [1, 2].map(|key| AsyncTask::new(numbers.item(key)));
    AsyncTask::new(all([second.clone(), first.clone()])).outcome().unwrap_err();
    assert_eq!(first.value().unwrap(), 10);
    assert_eq!(second.outcome().unwrap_err().message(), "half-way");
    assert_usable();
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bomb")
    }
}

impl Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[test]
fn a_panic_of_an_error_that_no_item_wants_spoils_no_flush() {
    let numbers = source("numbers", |items| -> Result<(), BoxError> {
        items.set_values(|&key| Some(key));
        Err(Box::new(Bomb))
    });
    assert_eq!(numbers.item(1).value().unwrap(), 1);
    assert_eq!(numbers.item(2).value().unwrap(), 2);
    assert_usable();
}

#[test]
fn a_panic_of_a_key_that_is_dropped_is_that_of_the_flush() {
    struct Key;

    impl Drop for Key {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "key dropped");
        }
    }

    struct Rows(Cell<bool>);

    impl Batch for Rows {
        type Key = Key;
        type Value = u32;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            if self.0.replace(true) {
                items.set_values(|_| Some(1));
            }
        }
    }

    let rows = Source::new(Rows(Cell::new(false)));
    let forgotten = AsyncTask::new(rows.item(Key));
    assert_eq!(forgotten.outcome().unwrap_err().message(), "key dropped");
    let set = AsyncTask::new(rows.item(Key));
    assert_eq!(set.outcome().unwrap_err().message(), "key dropped", "of the call: the item is set");
    assert_usable();
}

/// A source that sets all items and then panics.
fn panicking() -> Source<By<()>> {
    source("rows", |items| {
        items.set_values(|&key| Some(key));
        panic!("after the last row");
    })
}

#[test]
fn a_panic_after_all_items_are_set_reaches_the_call_that_flushes() {
    let rows = panicking();
    let seen = Rc::new(Cell::new(0));
    let task = {
        let seen = Rc::clone(&seen);
        AsyncTask::new(async move { seen.set(rows.item(7).await.unwrap()) })
    };
    assert_eq!(task.outcome().unwrap_err().message(), "after the last row");
    assert_eq!(seen.get(), 7, "the values are there all the same");
    assert_usable();
}

#[test]
fn a_panic_after_all_items_are_set_in_flight_reaches_the_call_that_drives() {
    let rows = source("rows", |items| -> Later {
        Box::pin(async move {
            debug::sync().await;
            items.set_values(|&key| Some(key));
            panic!("after the last row");
        })
    });
    let error = AsyncTask::new(rows.item(7)).outcome().unwrap_err();
    assert_eq!(error.message(), "after the last row");
    assert_usable();
}

#[test]
fn a_panic_after_all_items_are_set_reaches_the_task_whose_call_flushes() {
    let rows = panicking();
    let other = AsyncTask::new(debug::sync());
    let calling = AsyncTask::new(async move { rows.item(7).value().unwrap() });
    let root = AsyncTask::new(async move {
        all((
            other,
            AsyncTask::new(async move { calling.outcome().map_err(|e| e.message().to_owned()) }),
        ))
        .await
        .1
    });
    assert_eq!(root.value(), Err("after the last row".to_owned()));
    assert_usable();
}

#[test]
fn a_panic_after_all_items_are_set_reaches_the_executor_that_drives() {
    let rows = panicking();
    assert!(message_of(|| block_on(rows.item(7))).contains("after the last row"));
    assert_usable();
}

#[test]
fn a_panic_after_all_items_are_set_reaches_the_code_that_flushes_out_of_turn() {
    let rows = panicking();
    let item = rows.item(7);
    assert!(message_of(|| item.batch().flush()).contains("after the last row"));
    assert_eq!(item.value().unwrap(), 7);
}

#[test]
fn a_panic_of_a_value_that_is_dropped_with_its_batch_is_that_of_who_drops_it() {
    struct Value;

    impl Drop for Value {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "value dropped");
        }
    }

    struct Rows;

    impl Batch for Rows {
        type Key = ();
        type Value = Value;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|()| Some(Value));
        }
    }

    let rows = Source::new(Rows);
    let item = rows.item(());
    item.batch().flush();
    drop(item);
    assert_eq!(message_of(|| drop(rows.item(()))), "value dropped");
    let log = Log::new();
    assert_eq!(store(&log, "numbers").item(1).value().unwrap(), 10);
    std::mem::forget(rows.item(()).value());
    assert_eq!(message_of(|| drop(rows)), "value dropped", "that of the item that was given up");
    assert_usable();
}
