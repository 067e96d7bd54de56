//! Failures: whom they reach, what they say, and that they leave nothing broken behind.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

mod common;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use asynq::{
    AsyncTask, BatchError, FutureBase, LazyFuture, TaskError, TaskErrorKind, all, asynq, debug,
    promise,
};
use common::{
    Later, Log, assert_usable, knowing_itself, logged, message_of, panic_of, poll_outside, source,
    store, without_lines,
};
use expect_test::expect;
use futures::FutureExt;

#[asynq]
async fn broken() -> u32 {
    debug::sync().await;
    panic!("it is broken")
}

#[asynq]
async fn middle() -> u32 {
    broken::asynq().await
}

#[asynq]
async fn outer() -> u32 {
    middle::asynq().await
}

#[test]
fn a_panic_reaches_the_caller_through_all_who_wait() {
    let error = outer::asynq().outcome().unwrap_err();
    assert_eq!((error.kind(), error.message()), (TaskErrorKind::Panicked, "it is broken"));
}

#[test]
fn a_panic_keeps_the_stack_of_where_it_began() {
    let error = outer::asynq().outcome().unwrap_err();
    let functions: Vec<_> = error.stack().calls().iter().map(|call| call.function).collect();
    assert_eq!(functions, ["failure::outer", "failure::middle", "failure::broken"]);
}

#[test]
fn a_plain_call_panics_with_the_message_and_the_stack() {
    expect![[r#"
        it is broken
        asynq stack (most recent call last):
          failure::outer, called at crates/asynq/tests/failure.rs
          failure::middle, called at crates/asynq/tests/failure.rs
          failure::broken, called at crates/asynq/tests/failure.rs
    "#]]
    .assert_eq(&without_lines(&message_of(|| outer())));
}

#[test]
fn a_plain_call_inside_a_task_passes_the_failure_on() {
    let error = AsyncTask::new(async { outer() }).outcome().unwrap_err();
    assert_eq!(error.message(), "it is broken");
    assert_eq!(error.stack().calls().last().unwrap().function, "failure::broken");
}

#[test]
fn a_panic_with_a_value_reaches_the_caller_as_that_value() {
    let inner: AsyncTask<()> = AsyncTask::new(async { panic_any(vec![1, 2, 3]) });
    let outer = AsyncTask::new(inner);
    let payload = panic_of(|| outer.value());
    assert_eq!(*payload.downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
}

#[test]
fn a_panic_with_a_value_has_a_message() {
    let task: AsyncTask<()> = AsyncTask::new(async { panic_any(7_u32) });
    let error = task.outcome().unwrap_err();
    assert_eq!(error.message(), "panicked with a value that is not a string");
}

#[test]
fn a_task_that_catches_the_panic_of_another_goes_on() {
    let log = Log::new();
    let catches = {
        let log = log.clone();
        AsyncTask::new(async move {
            let payload = AssertUnwindSafe(broken::asynq()).catch_unwind().await.unwrap_err();
            log.add(payload.downcast::<TaskError>().unwrap().message());
            debug::sync().await;
            1
        })
    };
    assert_eq!(catches.value(), 1);
    assert_eq!(log.take(), "it is broken\n");
}

#[test]
fn each_of_those_who_wait_gets_the_failure() {
    let shared = broken::asynq();
    let waiters = [shared.clone(), shared].map(AsyncTask::new);
    AsyncTask::new(all(waiters.clone())).outcome().unwrap_err();
    for waiter in waiters {
        assert_eq!(waiter.outcome().unwrap_err().message(), "it is broken");
    }
}

#[test]
fn a_failure_leaves_siblings_alone() {
    let log = Log::new();
    let sibling = logged(&log, "sibling", store(&log, "numbers").item(1));
    AsyncTask::new(all([broken::asynq(), sibling.clone()])).outcome().unwrap_err();
    assert_eq!(sibling.value(), 10);
}

#[test]
fn errors_can_be_passed_between_threads() {
    fn assert_error<E: std::error::Error + Send + Sync + 'static>() {}
    assert_error::<TaskError>();
    assert_error::<BatchError>();
}

#[test]
fn the_scheduler_is_usable_after_a_panic_in_a_task() {
    outer::asynq().outcome().unwrap_err();
    assert_usable();
}

#[test]
fn the_scheduler_is_usable_after_a_panic_in_nested_calls() {
    let nested = AsyncTask::new(async { AsyncTask::new(async { outer() }).value() });
    nested.outcome().unwrap_err();
    assert_usable();
}

#[test]
fn a_panic_in_a_callback_keeps_no_other_from_being_called() {
    let log = Log::new();
    let task = AsyncTask::new(async { 1 });
    task.on_computed(|| panic!("callback"));
    let log_in = log.clone();
    task.on_computed(move || log_in.add("second"));
    assert_eq!(task.value(), 1);
    assert_eq!(log.take(), "second\n");
    assert_usable();
}

#[test]
fn a_panic_in_a_callback_of_an_item_spoils_no_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (first, second) = (numbers.item(1), numbers.item(2));
    first.on_computed(|| panic!("callback"));
    let values = all([first, second]).value().map(Result::unwrap);
    assert_eq!(values, [10, 20]);
    assert_usable();
}

/// Panics when it is dropped.
#[derive(Clone)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[test]
fn a_panic_of_a_local_that_is_dropped_fails_the_task() {
    let task = AsyncTask::new(async {
        let _bomb = Bomb;
        debug::sync().await;
    });
    assert_eq!(task.outcome().unwrap_err().message(), "dropped");
    assert_usable();
}

#[test]
fn a_panic_of_a_value_that_nobody_takes_is_the_last_owner_s() {
    let task = AsyncTask::new(async { Bomb });
    let other = task.clone();
    std::mem::forget(task.value());
    assert_eq!(message_of(|| drop(other)), "dropped");
    assert_usable();
}

#[test]
fn a_panic_of_a_value_without_an_owner_leaves_the_scheduler_usable() {
    // The task loses its last handle while it runs, so that nobody can take its value.
    let (handle, later) = promise::<AsyncTask<Bomb>>();
    let task = AsyncTask::new(async move {
        drop(later.await);
        Bomb
    });
    let root = AsyncTask::new(async move {
        let mut task = task;
        assert!(common::poll_once(&mut task).await.is_pending());
        handle.set_value(task);
        debug::sync().await;
        1
    });
    assert_eq!(root.value(), 1);
    assert_usable();
}

#[test]
fn a_panic_while_a_cancelled_task_is_dropped_leaves_the_scheduler_usable() {
    let task = AsyncTask::new(async {
        let _bomb = Bomb;
        debug::sync().await;
    });
    let root = AsyncTask::new(async move {
        let mut task = task;
        assert!(common::poll_once(&mut task).await.is_pending());
        debug::sync().await;
    });
    // It is dropped by `root`, whose failure it is.
    assert_eq!(root.outcome().unwrap_err().message(), "dropped");
    assert_usable();
}

#[test]
fn a_panic_in_a_waker_keeps_no_other_from_being_woken() {
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("waker");
        }
    }

    let task = AsyncTask::new(async {
        debug::sync().await;
        1
    });
    let first = {
        let mut task = task.clone();
        AsyncTask::new(std::future::poll_fn(move |_| {
            let waker = Waker::from(Arc::new(Panics));
            Pin::new(&mut task).poll(&mut Context::from_waker(&waker))
        }))
    };
    assert_eq!(all([first, task]).value(), [1, 1]);
    assert_usable();
}

#[test]
fn a_panic_in_a_lazy_future_is_that_of_the_one_who_asks() {
    let lazy = LazyFuture::<u32>::new(|| panic!("lazy"));
    assert_eq!(message_of(|| lazy.value()), "lazy");
    assert_usable();
}

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
    let task = waits_for::asynq(Rc::clone(&this));
    this.replace(Some(task.clone()));
    let error = task.outcome().unwrap_err();
    this.take();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    expect![[r#"
        deadlock: these tasks can never go on:
          failure::waits_for, called at crates/asynq/tests/failure.rs
            waits for failure::waits_for, called at crates/asynq/tests/failure.rs
        asynq stack (most recent call last):
          failure::waits_for, called at crates/asynq/tests/failure.rs
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
    let task = one::asynq(Rc::clone(&next));
    next.replace(Some(task.clone()));
    let error = task.outcome().unwrap_err();
    next.take();
    expect![[r#"
        deadlock: these tasks can never go on:
          failure::one, called at crates/asynq/tests/failure.rs
            waits for failure::two, called at crates/asynq/tests/failure.rs
          failure::two, called at crates/asynq/tests/failure.rs
            waits for failure::three, called at crates/asynq/tests/failure.rs
          failure::three, called at crates/asynq/tests/failure.rs
            waits for failure::one, called at crates/asynq/tests/failure.rs
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
    assert!(text.contains(&format!("failure.rs:{made}:")), "{text}");
    assert!(text.contains(&format!("failure.rs:{called}:")), "{text}");
}

#[test]
fn a_promise_that_is_never_set_is_a_deadlock() {
    let (promise, future) = promise::<u32>();
    let error = AsyncTask::new(future).outcome().unwrap_err();
    drop(promise);
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/failure.rs
            waits for promise made at crates/asynq/tests/failure.rs
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
        the promise made at crates/asynq/tests/failure.rs was dropped before it was set
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
fn a_future_polled_by_another_executor_says_what_to_do() {
    let message = message_of(|| poll_outside(&mut debug::sync()));
    expect![
        "a future of asynq was polled by another executor: call `.value()`, or await it in a task \
         (`AsyncTask::new(async move { .. }).value()`)"
    ]
    .assert_eq(&message);
    assert_usable();
}

#[test]
fn a_task_polled_after_its_end_says_so() {
    let mut task = AsyncTask::new(async { 1 });
    let twice = AsyncTask::new(async move {
        assert_eq!((&mut task).await, 1);
        (&mut task).await
    });
    assert_eq!(twice.outcome().unwrap_err().message(), "a task was polled after its end");
    assert_usable();
}

#[test]
fn a_task_that_cancels_itself_ends_at_its_next_wait() {
    let log = Log::new();
    let task = {
        let log = log.clone();
        knowing_itself(|this: AsyncTask<()>| async move {
            this.cancel();
            log.add("still runs");
            debug::sync().await;
            log.add("goes on");
        })
    };
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Cancelled);
    assert_eq!(log.take(), "still runs\n");
    assert_usable();
}

#[test]
fn a_flush_that_panics_out_of_turn_leaves_the_scheduler_usable() {
    let numbers = source("numbers", |_| -> () { panic!("no") });
    let item = numbers.item(1);
    item.batch().flush();
    assert_eq!(AsyncTask::new(item).outcome().unwrap_err().message(), "no");
    assert_usable();
}

#[test]
fn a_poll_that_never_asks_anything_is_a_deadlock() {
    let task: AsyncTask<()> = AsyncTask::new(std::future::poll_fn(|_| Poll::Pending));
    let error = task.outcome().unwrap_err();
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/failure.rs
            waits for a future that nobody will wake
    "#]]
    .assert_eq(&without_lines(error.message()));
}
