//! Synchronous calls: from anywhere, at any depth, and what they must not do.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::thread;

use asynq::{
    AsyncTask, FutureBase, LazyFuture, Source, TaskErrorKind, all, debug, promise, try_all,
};
use expect_test::expect;

use crate::common::{Log, Store, assert_usable, knowing_itself, logged, store};

#[test]
fn a_call_inside_a_task_gives_the_value_at_once() {
    let log = Log::new();
    let called = logged(&log, "called", store(&log, "numbers").item(1));
    let calling = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("calls");
            let value = called.value();
            log.add("goes on");
            value
        })
    };
    assert_eq!(calling.value(), 10);
    expect![[r#"
        calls
        called starts
        flush numbers [1]
        called gets 10
        goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_does_not_run_what_the_called_task_does_not_need() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let unrelated = logged(&log, "unrelated", numbers.item(1));
    let calling = {
        let numbers = numbers.clone();
        AsyncTask::new(async move { numbers.item(2).value().unwrap() })
    };
    all([calling, unrelated]).value();
    // Its item waited already, and is taken along; the task itself starts afterwards.
    expect![[r#"
        flush numbers [1, 2]
        unrelated starts
        unrelated gets 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_does_not_resume_a_task_that_its_flush_has_woken() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let waiting = logged(&log, "waiting", numbers.item(1));
    let calling = {
        let (log, numbers) = (log.clone(), numbers.clone());
        AsyncTask::new(async move {
            let value = numbers.item(2).value().unwrap();
            log.add("caller goes on");
            value
        })
    };
    all([waiting, calling]).value();
    expect![[r#"
        waiting starts
        flush numbers [1, 2]
        caller goes on
        waiting gets 10
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_does_not_flush_what_the_called_task_does_not_need() {
    let log = Log::new();
    let (mine, other) = (store(&log, "mine"), store(&log, "other"));
    let waiting = try_all([other.item(1), other.item(2)]);
    let calling = AsyncTask::new(async move { mine.item(1).value() });
    all((waiting, calling)).value().1.unwrap();
    expect![[r#"
        flush mine [1]
        flush other [1, 2]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_of_a_task_that_another_awaits_drives_it() {
    let log = Log::new();
    let shared = logged(&log, "shared", store(&log, "numbers").item(1));
    let awaits = {
        let (log, shared) = (log.clone(), shared.clone());
        AsyncTask::new(async move {
            shared.await;
            log.add("awaiting goes on");
        })
    };
    let calls = {
        let log = log.clone();
        AsyncTask::new(async move {
            shared.value();
            log.add("calling goes on");
        })
    };
    all((awaits, calls)).value();
    expect![[r#"
        shared starts
        flush numbers [1]
        shared gets 10
        calling goes on
        awaiting goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_call_of_a_task_that_has_not_had_its_turn_runs_it_at_once() {
    let log = Log::new();
    let scheduled = logged(&log, "scheduled", store(&log, "numbers").item(1));
    let calls = {
        let (log, scheduled) = (log.clone(), scheduled.clone());
        AsyncTask::new(async move {
            log.add("calls");
            scheduled.value()
        })
    };
    assert_eq!(all([calls, scheduled]).value(), [10, 10]);
    expect![[r#"
        calls
        scheduled starts
        flush numbers [1]
        scheduled gets 10
    "#]]
    .assert_eq(&log.take());
}

/// Calls itself `depth` deep, each time with an item of its own.
fn countdown(numbers: Source<Store>, depth: u32) -> AsyncTask<u32> {
    AsyncTask::new(async move {
        let own = numbers.item(depth).value().unwrap();
        if depth == 0 { own } else { own + countdown(numbers, depth - 1).value() }
    })
}

#[test]
fn calls_nest() {
    let log = Log::new();
    assert_eq!(countdown(store(&log, "numbers"), 50).value(), (0..=50).sum::<u32>() * 10);
    assert_eq!(log.take().lines().count(), 51);
    assert_usable();
}

/// Calls itself for ever.
fn endless() -> AsyncTask<u32> {
    AsyncTask::new(async { endless().value() })
}

#[test]
fn calls_that_nest_too_deeply_fail() {
    let error = endless().outcome().unwrap_err();
    assert!(error.message().contains("nested synchronous calls take"), "{}", error.message());
    assert_usable();
}

#[test]
fn the_stack_of_nested_calls_can_be_limited() {
    asynq::set_max_call_stack(0);
    let nested = || AsyncTask::new(async { AsyncTask::new(async { 1 }).outcome() });
    assert!(nested().value().is_err());
    asynq::set_max_call_stack(1 << 20);
    assert_eq!(nested().value().unwrap(), 1);
}

#[test]
fn siblings_that_call_do_not_nest() {
    // 10,000 calls inside one another would need far more than this stack.
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let numbers = store(&Log::new(), "numbers");
        let sibling = |key| {
            let numbers = numbers.clone();
            AsyncTask::new(async move { numbers.item(key).value().unwrap() })
        };
        all((0..10_000).map(sibling)).value().len()
    });
    assert_eq!(thread.unwrap().join().unwrap(), 10_000);
}

#[test]
fn siblings_that_call_after_a_wait_do_not_nest() {
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let numbers = store(&Log::new(), "numbers");
        let sibling = |key| {
            let numbers = numbers.clone();
            AsyncTask::new(async move {
                let value = numbers.item(key).await.unwrap();
                numbers.item(value).value().unwrap()
            })
        };
        all((0..10_000).map(sibling)).value().len()
    });
    assert_eq!(thread.unwrap().join().unwrap(), 10_000);
}

#[test]
fn a_callback_may_call() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = logged(&log, "task", numbers.item(1));
    let log_in = log.clone();
    task.on_computed(move || log_in.add(numbers.item(2).value().unwrap()));
    task.value();
    expect![[r#"
        task starts
        flush numbers [1]
        task gets 10
        flush numbers [2]
        20
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_lazy_future_may_call() {
    let item = store(&Log::new(), "numbers").item(1);
    let lazy = LazyFuture::new(move || item.value().unwrap());
    assert_eq!(AsyncTask::new(lazy).value(), 10);
}

#[test]
fn a_destructor_may_call_while_its_task_panics() {
    struct Saves(Log, Source<Store>);

    impl Drop for Saves {
        fn drop(&mut self) {
            self.0.add(format_args!("saved {}", self.1.item(1).value().unwrap()));
        }
    }

    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task: AsyncTask<()> = {
        let log = log.clone();
        AsyncTask::new(async move {
            let _saves = Saves(log, numbers);
            debug::sync().await;
            panic!("no");
        })
    };
    assert_eq!(task.outcome().unwrap_err().message(), "no");
    assert_eq!(log.take(), "flush numbers [1]\nsaved 10\n");
    assert_usable();
}

#[test]
fn a_task_that_calls_itself_is_a_deadlock() {
    let task: AsyncTask<()> = knowing_itself(|this| async move { this.value() });
    let error = task.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn a_call_of_the_caller_is_a_deadlock_that_names_it() {
    let task: AsyncTask<()> = knowing_itself(|this| async move {
        AsyncTask::new(async move { this.value() }).value();
    });
    let error = task.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert!(error.message().contains("async block, called at"), "{error}");
    assert_usable();
}

#[test]
fn a_call_of_what_waits_for_the_caller_is_a_deadlock() {
    let task = knowing_itself(|this: AsyncTask<u32>| async move {
        let waits = AsyncTask::new(async move { this.await + 1 });
        waits.value()
    });
    let error = task.outcome().unwrap_err();
    assert_eq!(error.kind(), TaskErrorKind::Deadlock);
    assert_usable();
}

#[test]
fn a_call_that_cannot_end_leaves_the_called_task_to_others() {
    let (promise, future) = promise();
    let waits = AsyncTask::new(async move { future.await + 1 });
    let calls = {
        let waits = waits.clone();
        AsyncTask::new(async move { waits.outcome().unwrap_err().kind() })
    };
    let sets = AsyncTask::new(async move { promise.set_value(1) });
    let values = all((calls, sets, waits)).value();
    assert_eq!(values, (TaskErrorKind::Deadlock, (), 2));
}

#[test]
fn a_call_of_what_only_an_outer_task_can_set_is_a_deadlock() {
    let log = Log::new();
    let (promise, future) = promise::<u32>();
    let calls = {
        let log = log.clone();
        AsyncTask::new(async move {
            let waits = AsyncTask::new(future);
            log.add(waits.outcome().unwrap_err().kind() == TaskErrorKind::Deadlock);
        })
    };
    let sets = {
        let log = log.clone();
        AsyncTask::new(async move {
            promise.set_value(1);
            log.add("set");
        })
    };
    all((calls, sets)).value();
    assert_eq!(log.take(), "true\nset\n");
    assert_usable();
}
