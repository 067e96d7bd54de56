//! Deadlocks: nothing waits for ever, and the report says who waits for what.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;

use asynq::{AsyncTask, FutureBase, TaskErrorKind, all, asynq, debug, promise};
use expect_test::expect;
use futures::FutureExt;

use crate::common::{Later, Log, assert_usable, logged, store, without_lines};

#[test]
fn a_batch_name_that_panics_spoils_no_report() {
    struct Nameless;

    impl asynq::Batch for Nameless {
        type Key = ();
        type Value = ();
        type Flush = Later;

        fn flush(self: Rc<Self>, _: asynq::Items<Self>) -> Later {
            Box::pin(std::future::pending())
        }

        fn name(&self) -> String {
            panic!("no name")
        }
    }

    let item = asynq::Source::new(Nameless).item(());
    let error = AsyncTask::new(item).outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[asynq]
async fn waits_for(other: Rc<RefCell<Option<AsyncTask<u32>>>>) -> u32 {
    let other = other.borrow().clone().unwrap();
    other.await
}

#[test]
fn a_task_that_awaits_itself_is_a_deadlock() {
    let this: Rc<RefCell<Option<AsyncTask<u32>>>> = Rc::default();
    let task = waits_for::asynq(Rc::clone(&this)).task();
    this.replace(Some(task.clone()));
    let error = task.outcome().unwrap_err();
    this.take();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    expect![[r#"
        deadlock: these tasks can never go on:
          it::deadlock::waits_for, called at crates/asynq/tests/it/deadlock.rs
            waits for it::deadlock::waits_for, called at crates/asynq/tests/it/deadlock.rs
        asynq stack (most recent call last):
          it::deadlock::waits_for, called at crates/asynq/tests/it/deadlock.rs
    "#]]
    .assert_eq(&without_lines(&error.to_string()));
    assert_usable();
}

#[asynq]
async fn one(next: Rc<RefCell<Option<AsyncTask<u32>>>>) -> u32 {
    two::asynq(next).await
}

#[asynq]
async fn two(next: Rc<RefCell<Option<AsyncTask<u32>>>>) -> u32 {
    three::asynq(next).await
}

#[asynq]
async fn three(next: Rc<RefCell<Option<AsyncTask<u32>>>>) -> u32 {
    debug::sync().await;
    let next = next.borrow().clone().unwrap();
    next.await
}

#[test]
fn a_circle_is_a_deadlock_that_names_all_of_it() {
    let next: Rc<RefCell<Option<AsyncTask<u32>>>> = Rc::default();
    let task = one::asynq(Rc::clone(&next)).task();
    next.replace(Some(task.clone()));
    let error = task.outcome().unwrap_err();
    next.take();
    expect![[r#"
        deadlock: these tasks can never go on:
          it::deadlock::one, called at crates/asynq/tests/it/deadlock.rs
            waits for it::deadlock::two, called at crates/asynq/tests/it/deadlock.rs
          it::deadlock::two, called at crates/asynq/tests/it/deadlock.rs
            waits for it::deadlock::three, called at crates/asynq/tests/it/deadlock.rs
          it::deadlock::three, called at crates/asynq/tests/it/deadlock.rs
            waits for it::deadlock::one, called at crates/asynq/tests/it/deadlock.rs
    "#]]
    .assert_eq(&without_lines(error.message()));
    assert_usable();
}

#[test]
fn a_deadlock_names_the_lines() {
    let (_promise, future) = promise::<u32>();
    let made = line!() - 1;
    let task = AsyncTask::new(future);
    let called = line!() - 1;
    let error = task.outcome().unwrap_err();
    let text = error.message();
    assert!(text.contains(&format!("deadlock.rs:{made}:")), "{text}");
    assert!(text.contains(&format!("deadlock.rs:{called}:")), "{text}");
}

#[test]
fn a_promise_that_is_never_set_is_a_deadlock() {
    let (promise, future) = promise::<u32>();
    let error = AsyncTask::new(future).outcome().unwrap_err();
    drop(promise);
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/it/deadlock.rs
            waits for promise, made at crates/asynq/tests/it/deadlock.rs
    "#]]
    .assert_eq(&without_lines(error.message()));
    assert_usable();
}

#[test]
fn a_promise_that_is_dropped_fails_those_who_wait() {
    let (promise, future) = promise::<u32>();
    let waits = AsyncTask::new(future);
    let drops = AsyncTask::new(async move { drop(promise) });
    AsyncTask::new(all((waits.clone(), drops))).outcome().unwrap_err();
    let error = waits.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Cancelled);
    expect![[r#"
        the promise, made at crates/asynq/tests/it/deadlock.rs was dropped before its value was set
    "#]]
    .assert_eq(&without_lines(error.message()));
}

#[test]
fn a_deadlock_fails_only_those_that_are_stuck() {
    let log = Log::new();
    let (_promise, future) = promise::<u32>();
    let stuck = AsyncTask::new(future);
    let well = logged(&log, "well", store(&log, "numbers").item(1));
    AsyncTask::new(all([stuck, well.clone()])).outcome().unwrap_err();
    assert!(well.is_computed());
    assert_eq!(well.value(), 10);
}

#[test]
fn a_task_that_survives_a_deadlock_report_goes_on() {
    let (_promise, future) = promise::<u32>();
    let stuck = AsyncTask::new(future);
    let catches = AsyncTask::new(async move {
        AssertUnwindSafe(stuck).catch_unwind().await.unwrap_err();
        debug::sync().await;
        1
    });
    assert_eq!(catches.value(), 1);
}

#[test]
fn a_report_of_many_tasks_is_shortened() {
    let (_promise, future) = promise::<u32>();
    let mut task = AsyncTask::new(future);
    for _ in 0..1_000 {
        task = AsyncTask::new(task);
    }
    let error = task.outcome().unwrap_err();
    let lines = error.message().lines().count();
    assert_eq!(error.message().lines().last(), Some("  … and 951 more"));
    assert_eq!(lines, 1 + 2 * 50 + 1);
}

#[test]
fn a_report_of_a_task_that_waits_for_many_things_is_shortened() {
    let (_promises, futures): (Vec<_>, Vec<_>) = (0..60).map(|_| promise::<u32>()).unzip();
    let error = AsyncTask::new(all(futures)).outcome().unwrap_err();
    assert_eq!(error.message().matches("promise, made at").count(), 50);
    assert_eq!(error.message().lines().last(), Some("              10 more"));
}

#[test]
fn a_poll_that_never_asks_anything_is_a_deadlock() {
    let task: AsyncTask<()> = AsyncTask::new(std::future::poll_fn(|_| Poll::Pending));
    let error = task.outcome().unwrap_err();
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/it/deadlock.rs
            waits for a future that nobody will wake
    "#]]
    .assert_eq(&without_lines(error.message()));
}
