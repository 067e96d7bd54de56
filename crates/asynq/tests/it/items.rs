//! Items: what a flush gives them, and what they give.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use asynq::{AsyncTask, BatchErrorKind, FutureBase, Items, TaskErrorKind, all, try_all};
use expect_test::expect;

use crate::common::{self, Log, assert_usable, source, store};

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
    let value = Rc::new(RefCell::new(None));
    let task = {
        let value = Rc::clone(&value);
        AsyncTask::new(async move { *value.borrow_mut() = Some(numbers.item(1).await.unwrap()) })
    };
    let error = task.outcome().unwrap_err();
    assert_eq!(error.message(), "batch numbers: item 0 was given a value or error twice");
    assert_eq!(value.take(), Some(1));
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
fn items_that_a_flush_has_kept_cannot_be_set_after_its_end() {
    let kept: Rc<RefCell<Option<Items<common::By<()>>>>> = Rc::default();
    let numbers = {
        let kept = Rc::clone(&kept);
        source("numbers", move |items| drop(kept.replace(Some(items))))
    };
    let item = numbers.item(1);
    item.batch().flush();
    let items = kept.take().unwrap();
    let message = common::message_of(|| items.set_values(|_| Some(1)));
    assert_eq!(message, "batch numbers: item 0 was given a value or error twice");
    assert!(item.value().is_err());
}
