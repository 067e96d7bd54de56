//! Batches: flushes of every kind, and what becomes of each item.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::RefCell;
use std::rc::Rc;

use asynq::{
    AsyncTask, Batch, BatchErrorKind, FutureBase, Items, Source, TaskErrorKind, all, debug, try_all,
};
use expect_test::expect;

use crate::common::{self, Log, assert_usable, source, store};

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
fn a_batch_has_nothing_of_the_one_before() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let first = numbers.item(1);
    let shown = format!("{:?}", first.batch());
    assert_eq!(first.value().unwrap(), 10);
    // Nobody has the first batch any more.
    let second = numbers.item(2);
    assert_eq!(second.index(), 0);
    assert_eq!(format!("{:?}", second.batch()), shown);
    assert_eq!(second.batch().len(), 1);
    assert!(!second.batch().is_flushed());
    assert_eq!(second.value().unwrap(), 20);
    assert_eq!(log.take(), "flush numbers [1]\nflush numbers [2]\n");
}

#[test]
fn a_value_that_nobody_took_is_dropped_when_the_next_batch_has_opened() {
    struct Handles(Rc<()>);

    impl Batch for Handles {
        type Key = u32;
        type Value = Rc<()>;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|_| Some(Rc::clone(&self.0)));
        }
    }

    let shared = Rc::new(());
    let values = Source::new(Handles(Rc::clone(&shared)));
    drop(values.item(1));
    values.open_batch().flush();
    assert_eq!(Rc::strong_count(&shared), 3);
    let next = values.item(2);
    assert_eq!(Rc::strong_count(&shared), 2);
    assert!(!next.batch().is_flushed());
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
fn a_callback_that_calls_into_the_batch_being_flushed_is_a_deadlock() {
    let log = Log::new();
    let numbers = source("numbers", |items| items.set_values(|&key| Some(key)));
    let (first, second) = (numbers.item(1), numbers.item(2));
    let log_in = log.clone();
    first.on_computed(move || {
        let error = AsyncTask::new(second).outcome().unwrap_err();
        log_in.add(error.kind() == TaskErrorKind::Deadlock);
    });
    assert_eq!(first.value().unwrap(), 1);
    assert_eq!(log.take(), "true\n");
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
fn a_batch_of_which_nobody_awaits_an_item_is_not_flushed() {
    let log = Log::new();
    let (wanted, unwanted) = (store(&log, "wanted"), store(&log, "unwanted"));
    let kept = unwanted.item(1);
    wanted.item(1).value().unwrap();
    assert_eq!(log.take(), "flush wanted [1]\n");
    assert!(!kept.is_computed());
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
fn a_priority_that_panics_or_calls_harms_nothing() {
    struct Odd(std::cell::Cell<bool>);

    impl Batch for Odd {
        type Key = u32;
        type Value = u32;
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|&key| Some(key));
        }

        fn priority(&self) -> i64 {
            assert!(!self.0.replace(false), "no priority");
            debug::sync().value();
            1
        }
    }

    let odd = Source::new(Odd(std::cell::Cell::new(true)));
    assert_eq!(common::message_of(|| odd.item(1)), "no priority");
    assert_eq!(odd.item(2).value().unwrap(), 2);
    assert_usable();
}

#[test]
fn a_batch_may_call_when_it_is_dropped() {
    struct Closes(Log);

    impl Batch for Closes {
        type Key = ();
        type Value = ();
        type Flush = ();

        fn flush(self: Rc<Self>, items: Items<Self>) {
            items.set_values(|()| Some(()));
        }
    }

    impl Drop for Closes {
        fn drop(&mut self) {
            debug::sync().value();
            self.0.add("closed");
        }
    }

    let log = Log::new();
    let item = Source::new(Closes(log.clone())).item(());
    let log_in = log.clone();
    AsyncTask::new(async move {
        item.await.unwrap();
        log_in.add("has it");
    })
    .value();
    assert_eq!(log.take(), "closed\nhas it\n");
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
