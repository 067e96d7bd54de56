//! Batches: flushes of every kind, and what becomes of each item.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

mod common;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use asynq::{
    AsyncTask, Batch, BatchErrorKind, FutureBase, Items, Source, TaskErrorKind, all, debug, try_all,
};
use common::{Log, assert_usable, source, store};
use expect_test::expect;

#[test]
fn the_keys_come_in_the_order_in_which_they_were_asked_for() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let items: Vec<_> = [3, 1, 2].into_iter().map(|key| numbers.item(key)).collect();
    assert_eq!(try_all(items).value().unwrap(), [30, 10, 20]);
    assert_eq!(log.take(), "flush numbers [3, 1, 2]\n");
}

#[test]
fn a_key_asked_for_twice_comes_twice() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    assert_eq!(try_all([numbers.item(1), numbers.item(1)]).value().unwrap(), [10, 10]);
    assert_eq!(log.take(), "flush numbers [1, 1]\n");
}

#[test]
fn an_item_gives_its_value_outside_of_tasks() {
    assert_eq!(store(&Log::new(), "numbers").item(1).value().unwrap(), 10);
}

#[test]
fn an_item_gives_its_value_inside_a_task_at_once() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = {
        let (log, numbers) = (log.clone(), numbers.clone());
        AsyncTask::new(async move {
            let value = numbers.item(1).value().unwrap();
            log.add(format_args!("has {value}"));
        })
    };
    all((task, common::logged(&log, "other", numbers.item(2)))).value();
    // `other` was not started by the synchronous call, but its item went along.
    expect![[r#"
        flush numbers [2, 1]
        has 10
        other starts
        other gets 20
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn values_may_be_set_in_any_order() {
    let numbers = source("numbers", |items| {
        for item in items.iter().collect::<Vec<_>>().into_iter().rev() {
            item.set_value(item.key() + 1);
        }
    });
    assert_eq!(try_all([numbers.item(1), numbers.item(2)]).value().unwrap(), [2, 3]);
}

#[test]
fn a_forgotten_item_gets_an_error_that_names_the_batch() {
    let numbers = source("numbers", |items| items.set_values(|&key| (key != 2).then_some(key)));
    let [one, two] = all([numbers.item(1), numbers.item(2)]).value();
    assert_eq!(one.unwrap(), 1);
    let error = two.unwrap_err();
    assert!(matches!(error.kind(), BatchErrorKind::NotSet));
    assert_eq!(error.batch(), "numbers");
    expect![
        "batch numbers: its flush gave item 1 neither a value nor an error; call `set_value` \
         or `set_error` for every item"
    ]
    .assert_eq(&error.to_string());
}

#[test]
fn the_error_of_one_item_is_its_own() {
    let numbers = source("numbers", |items| {
        for item in &items {
            match item.key() {
                2 => item.set_error("no number 2"),
                key => item.set_value(*key),
            }
        }
    });
    let [one, two] = all([numbers.item(1), numbers.item(2)]).value();
    assert_eq!(one.unwrap(), 1);
    let error = two.unwrap_err();
    assert_eq!(error.to_string(), "batch numbers: no number 2");
    assert_eq!(error.source().unwrap().to_string(), "no number 2");
}

#[test]
fn a_flush_may_give_each_item_a_value_or_an_error() {
    let numbers = source("numbers", |items| {
        items.set_results(|&key| if key == 2 { Err("no number 2") } else { Ok(key) });
    });
    let [one, two] = all([numbers.item(1), numbers.item(2)]).value();
    assert_eq!(one.unwrap(), 1);
    assert_eq!(two.unwrap_err().to_string(), "batch numbers: no number 2");
}

#[test]
fn the_error_of_a_flush_goes_to_each_item_without_a_value() {
    let numbers = source("numbers", |items| {
        items.iter().next().unwrap().set_value(100);
        Err("the connection was lost")
    });
    let [first, second, third] = all([1, 2, 3].map(|key| numbers.item(key))).value();
    assert_eq!(first.unwrap(), 100);
    for error in [second.unwrap_err(), third.unwrap_err()] {
        assert_eq!(error.to_string(), "batch numbers: the connection was lost");
    }
}

#[test]
fn a_flush_may_end_well_with_a_result() {
    let numbers = source("numbers", |items| {
        items.set_values(|&key| Some(key));
        Ok::<_, std::io::Error>(())
    });
    assert_eq!(numbers.item(1).value().unwrap(), 1);
}

#[test]
fn the_cause_of_a_failed_flush_keeps_its_type() {
    let numbers = source("numbers", |_| Err("x".parse::<u32>().unwrap_err()));
    let error = numbers.item(1).value().unwrap_err();
    let BatchErrorKind::Failed(cause) = error.kind() else { panic!("{error:?}") };
    assert!(cause.is::<std::num::ParseIntError>());
}

#[test]
fn a_panic_in_a_flush_reaches_those_who_wait_for_an_item_without_a_value() {
    let numbers = source("numbers", |items| -> () {
        items.iter().next().unwrap().set_value(1);
        panic!("out of numbers")
    });
    let ask = |key| {
        let numbers = numbers.clone();
        AsyncTask::new(async move { numbers.item(key).await.unwrap() })
    };
    let (first, second) = (ask(1), ask(2));
    AsyncTask::new(all([first.clone(), second.clone()])).outcome().unwrap_err();
    assert_eq!(first.value(), 1);
    let error = second.outcome().unwrap_err();
    assert_eq!((error.kind(), error.message()), (TaskErrorKind::Panicked, "out of numbers"));
    assert_usable();
}

#[test]
fn a_value_set_twice_is_a_panic_of_the_flush() {
    let numbers = source("numbers", |items| {
        let first = items.iter().next().unwrap();
        first.set_value(1);
        first.set_value(2);
    });
    let (first, second) = (numbers.item(1), numbers.item(2));
    let error = AsyncTask::new(second).outcome().unwrap_err();
    assert_eq!(error.message(), "batch numbers: item 0 was given a value or error twice");
    assert_eq!(first.value().unwrap(), 1, "the first value stays");
}

#[test]
fn an_error_cannot_replace_a_value() {
    let numbers = source("numbers", |items| {
        let first = items.iter().next().unwrap();
        first.set_value(1);
        first.set_error("too late");
    });
    assert_eq!(numbers.item(1).value().unwrap(), 1);
}

#[test]
fn an_item_made_after_the_flush_opens_a_new_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let first = numbers.item(1);
    first.batch().flush();
    let second = numbers.item(2);
    assert!(!second.batch().is_flushed());
    assert_eq!(second.index(), 0);
    assert_eq!(second.value().unwrap(), 20);
    assert_eq!(log.take(), "flush numbers [1]\nflush numbers [2]\n");
}

#[test]
fn an_item_made_during_the_flush_opens_a_new_batch() {
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let this: Rc<RefCell<Option<Source<common::By<()>>>>> = Rc::default();
    let numbers = {
        let (sizes, this) = (Rc::clone(&sizes), Rc::clone(&this));
        source("numbers", move |items| {
            sizes.borrow_mut().push(items.len());
            let again = this.borrow_mut().take().map(|numbers| numbers.item(7));
            // A synchronous call into the source that is being flushed.
            let seven = again.map_or(0, |item| item.value().unwrap());
            items.set_values(|&key| Some(key + seven));
        })
    };
    *this.borrow_mut() = Some(numbers.clone());
    let items = [numbers.item(1), numbers.item(2)];
    assert_eq!(try_all(items).value().unwrap(), [8, 9]);
    assert_eq!(*sizes.borrow(), [2, 1]);
}

#[test]
fn a_flush_may_call_synchronously_what_needs_another_source() {
    let log = Log::new();
    let inner = store(&log, "inner");
    let outer = source("outer", move |items| {
        let values = try_all(items.keys().iter().map(|&key| inner.item(key))).value().unwrap();
        for (item, value) in items.iter().zip(values) {
            item.set_value(value + 1);
        }
    });
    assert_eq!(try_all([outer.item(1), outer.item(2)]).value().unwrap(), [11, 21]);
    assert_eq!(log.take(), "flush inner [1, 2]\n");
}

#[test]
fn a_flush_that_calls_into_its_own_batch_is_a_deadlock() {
    let this: Rc<RefCell<Option<asynq::BatchItem<common::By<()>>>>> = Rc::default();
    let numbers = {
        let this = Rc::clone(&this);
        source("numbers", move |items| {
            let own = this.borrow_mut().take().unwrap();
            let value = own.value().unwrap();
            items.set_values(|_| Some(value));
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
fn a_batch_can_be_flushed_out_of_turn() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let item = numbers.item(1);
    let batch = item.batch();
    assert_eq!((batch.is_flushed(), batch.len()), (false, 1));
    batch.flush();
    assert_eq!(log.take(), "flush numbers [1]\n");
    assert!(batch.is_flushed() && item.is_computed());
    assert_eq!(item.value().unwrap(), 10);
}

#[test]
fn a_batch_is_flushed_once() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let item = numbers.item(1);
    let batch = item.batch();
    item.value().unwrap();
    batch.flush();
    assert_eq!(log.take(), "flush numbers [1]\n");
}

#[test]
fn a_task_can_flush_out_of_turn_for_others() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let waiting = common::logged(&log, "waiting", numbers.item(1));
    let impatient = {
        let (log, batch) = (log.clone(), numbers.open_batch());
        AsyncTask::new(async move {
            batch.flush();
            log.add("impatient ends");
        })
    };
    all((waiting, impatient)).value();
    expect![[r#"
        waiting starts
        flush numbers [1]
        impatient ends
        waiting gets 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_flush_sees_its_own_batch_as_flushed() {
    let this: Rc<RefCell<Option<asynq::BatchHandle<common::By<()>>>>> = Rc::default();
    let numbers = {
        let this = Rc::clone(&this);
        source("numbers", move |items| {
            let batch = this.borrow_mut().take().unwrap();
            assert!(batch.is_flushed());
            // No second flush inside the first.
            batch.flush();
            items.set_values(|&key| Some(key));
        })
    };
    *this.borrow_mut() = Some(numbers.open_batch());
    assert_eq!(numbers.item(1).value().unwrap(), 1);
}

#[test]
fn the_items_of_a_cancelled_batch_get_an_error() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let item = numbers.item(1);
    let batch = item.batch();
    batch.cancel();
    assert!(batch.is_cancelled() && item.is_computed());
    let error = item.value().unwrap_err();
    assert!(matches!(error.kind(), BatchErrorKind::Cancelled));
    assert_eq!(error.to_string(), "batch numbers: cancelled before its flush");
    assert_eq!(log.take(), "");
}

#[test]
fn cancelling_a_batch_wakes_those_who_wait() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let waiting = {
        let item = numbers.item(1);
        AsyncTask::new(async move { item.await.unwrap_err().to_string() })
    };
    let batch = numbers.open_batch();
    let (text, ()) = all((waiting, AsyncTask::new(async move { batch.cancel() }))).value();
    assert_eq!(text, "batch numbers: cancelled before its flush");
    assert_eq!(log.take(), "");
}

#[test]
fn an_item_made_after_a_cancel_opens_a_new_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let cancelled = numbers.item(1);
    cancelled.batch().cancel();
    assert_eq!(numbers.item(2).value().unwrap(), 20);
    assert_eq!(log.take(), "flush numbers [2]\n");
}

#[test]
fn a_flushed_batch_cannot_be_cancelled() {
    let numbers = store(&Log::new(), "numbers");
    let (first, second) = (numbers.item(1), numbers.item(2));
    let batch = first.batch();
    first.value().unwrap();
    batch.cancel();
    assert!(!batch.is_cancelled());
    assert_eq!(second.value().unwrap(), 20);
}

#[test]
fn items_outlive_their_source() {
    let log = Log::new();
    let items = {
        let numbers = store(&log, "numbers");
        [numbers.item(1), numbers.item(2)]
    };
    assert_eq!(try_all(items).value().unwrap(), [10, 20]);
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
}

#[test]
fn an_item_dropped_before_the_flush_is_asked_for_all_the_same() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    drop(numbers.item(1));
    assert_eq!(numbers.item(2).value().unwrap(), 20);
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
}

#[test]
fn a_batch_of_which_nobody_awaits_an_item_is_not_flushed() {
    let log = Log::new();
    let (wanted, unwanted) = (store(&log, "wanted"), store(&log, "unwanted"));
    let kept = unwanted.item(1);
    wanted.item(1).value().unwrap();
    assert_eq!(log.take(), "flush wanted [1]\n");
    assert!(!kept.is_computed());
}

#[test]
fn a_callback_of_an_item_comes_when_its_value_is_set() {
    let log = Log::new();
    let numbers = {
        let log = log.clone();
        source("numbers", move |items| {
            log.add("flush begins");
            items.set_values(|&key| Some(key));
            log.add("flush ends");
        })
    };
    let item = numbers.item(1);
    {
        let log = log.clone();
        item.on_computed(move || log.add("callback"));
    }
    item.value().unwrap();
    assert_eq!(log.take(), "flush begins\ncallback\nflush ends\n");
}

#[test]
fn the_priority_is_asked_for_when_a_batch_is_opened() {
    struct Asked(Log);

    impl Batch for Asked {
        type Key = u32;
        type Value = u32;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            self.0.add(format_args!("flush {:?}", items.keys()));
            items.set_values(|&key| Some(key));
        }

        fn priority(&self) -> i64 {
            self.0.add("priority?");
            1
        }
    }

    let log = Log::new();
    let asked = Source::new(Asked(log.clone()));
    try_all([asked.item(1), asked.item(2)]).value().unwrap();
    asked.item(3).value().unwrap();
    expect![[r#"
        priority?
        flush [1, 2]
        priority?
        flush [3]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_default_name_is_that_of_the_type_without_its_path() {
    struct Rows<T>(std::marker::PhantomData<T>);

    impl<T: 'static> Batch for Rows<T> {
        type Key = ();
        type Value = ();
        type Flush = ();

        fn flush(self: Rc<Self>, _: Items<Self>) {}
    }

    let rows = Source::new(Rows::<Vec<Option<std::fs::File>>>(std::marker::PhantomData));
    assert_eq!(rows.item(()).value().unwrap_err().batch(), "Rows<Vec<Option<File>>>");
}

#[test]
fn sync_points_of_different_tags_are_different_batches() {
    let log = Log::new();
    let task = |tag: &'static str, name: &'static str| {
        let log = log.clone();
        AsyncTask::new(async move {
            debug::sync_in(tag).await;
            log.add(name);
        })
    };
    all([task("few", "a"), task("many", "b"), task("many", "c")]).value();
    assert_eq!(log.take(), "b\nc\na\n");
}
