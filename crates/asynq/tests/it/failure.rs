//! Failures: whom they reach, what they say, and that they leave nothing broken behind.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::panic::{AssertUnwindSafe, panic_any};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use asynq::{
    AsyncTask, BatchError, FutureBase, LazyFuture, LocalLoader, TaskError, TaskErrorKind, all,
    asynq, debug, promise,
};
use expect_test::expect;
use futures::FutureExt;

use crate::common::{
    self, Log, assert_usable, knowing_itself, logged, message_of, panic_of, source, store,
    without_lines,
};

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
    assert_eq!(functions, ["it::failure::outer", "it::failure::middle", "it::failure::broken"]);
}

#[test]
fn a_plain_call_panics_with_the_message_and_the_stack() {
    expect![[r#"
        it is broken
        asynq stack (most recent call last):
          it::failure::outer, called at crates/asynq/tests/it/failure.rs
          it::failure::middle, called at crates/asynq/tests/it/failure.rs
          it::failure::broken, called at crates/asynq/tests/it/failure.rs
    "#]]
    .assert_eq(&without_lines(&message_of(|| outer())));
}

#[test]
fn a_plain_call_inside_a_task_passes_the_failure_on() {
    let error = AsyncTask::new(async { outer() }).outcome().unwrap_err();
    assert_eq!(error.message(), "it is broken");
    assert_eq!(error.stack().calls().last().unwrap().function, "it::failure::broken");
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
    let shared = broken::asynq().task();
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
    AsyncTask::new(all((broken::asynq(), sibling.clone()))).outcome().unwrap_err();
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

#[test]
fn a_panic_while_a_value_is_cloned_is_that_of_the_one_who_takes_it() {
    struct Unique;

    impl Clone for Unique {
        fn clone(&self) -> Self {
            panic!("there can be only one")
        }
    }

    let task = AsyncTask::new(async { Unique });
    let other = task.clone();
    let error = AsyncTask::new(task).outcome().err().unwrap();
    assert_eq!(error.message(), "there can be only one");
    assert!(other.outcome().is_ok(), "the last handle needs no clone");
}

#[test]
fn a_panic_while_a_shared_item_is_cloned_is_that_of_the_one_who_takes_it() {
    struct Unique;

    impl Clone for Unique {
        fn clone(&self) -> Self {
            panic!("there can be only one")
        }
    }

    let loader = LocalLoader::new(|keys: Vec<u32>| keys.iter().map(|_| Unique).collect::<Vec<_>>());
    let (first, second) = (loader.load(1), loader.load(1));
    let error = AsyncTask::new(first).outcome().err().unwrap();
    assert_eq!(error.message(), "there can be only one");
    assert!(second.value().is_ok(), "the last handle needs no clone");
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
fn a_panic_of_a_local_does_not_replace_the_failure_that_dropped_it() {
    let task = AsyncTask::new(async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    assert_eq!(task.outcome().unwrap_err().kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn the_first_panic_of_a_chain_of_dropped_tasks_is_passed_on() {
    struct Named(&'static str);

    impl Drop for Named {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "{} dropped", self.0);
        }
    }

    let (outer, inner) = (Named("outer"), Named("inner"));
    let awaited = AsyncTask::new(async move { drop(inner) });
    let chain = AsyncTask::new(async move {
        let _outer = outer;
        awaited.await;
    });
    assert_eq!(message_of(|| drop(chain)), "outer dropped");
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
fn a_task_polled_after_its_end_says_so() {
    let mut task = AsyncTask::new(async { 1 });
    let twice = AsyncTask::new(async move {
        assert_eq!((&mut task).await, 1);
        (&mut task).await
    });
    expect![[r#"
        async block, called at crates/asynq/tests/it/failure.rs was polled after it had returned its value
    "#]]
    .assert_eq(&without_lines(twice.outcome().unwrap_err().message()));
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
