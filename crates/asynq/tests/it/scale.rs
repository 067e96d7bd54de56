//! Scale: very long chains and very wide joins, on a small native stack.

use std::cell::RefCell;
use std::thread;

use asynq::{AsyncTask, FutureBase, ScopedValue, TaskErrorKind, all, debug, promise, with_context};

use crate::common::{Log, assert_usable, poll_once, store};

const CHAIN: u32 = 1_000_000;

/// Runs `f` on a stack that no recursion over a chain would survive.
fn on_small_stack<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(f).unwrap();
    thread.join().unwrap()
}

/// A chain of tasks above `bottom`: each awaits the next.
fn chain(bottom: AsyncTask<u32>, length: u32) -> AsyncTask<u32> {
    (0..length).fold(bottom, |below, _| AsyncTask::new(async move { below.await + 1 }))
}

fn waits() -> AsyncTask<u32> {
    AsyncTask::new(async {
        debug::sync().await;
        0
    })
}

#[test]
fn a_long_chain_runs() {
    assert_eq!(on_small_stack(|| chain(waits(), CHAIN).value()), CHAIN);
}

#[test]
fn a_long_chain_in_which_each_task_makes_the_next_runs() {
    fn dive(depth: u32) -> AsyncTask<u32> {
        AsyncTask::new(async move {
            if depth == 0 {
                debug::sync().await;
                return 0;
            }
            dive(depth - 1).await + 1
        })
    }

    assert_eq!(on_small_stack(|| dive(CHAIN / 4).value()), CHAIN / 4);
}

#[test]
fn a_long_chain_of_creators_is_freed() {
    #[allow(clippy::async_yields_async, reason = "the task that was created last is kept")]
    fn dive(depth: u32) -> AsyncTask<AsyncTask<u32>> {
        AsyncTask::new(async move {
            if depth == 0 {
                return AsyncTask::new(async { 0 });
            }
            dive(depth - 1).await
        })
    }

    on_small_stack(|| drop(dive(CHAIN / 4).value()));
}

#[test]
fn a_long_chain_that_was_never_started_is_freed() {
    on_small_stack(|| drop(chain(waits(), CHAIN)));
}

#[test]
fn a_long_chain_that_waits_is_freed() {
    on_small_stack(|| {
        let mut task = chain(waits(), CHAIN / 4);
        AsyncTask::new(async move {
            assert!(poll_once(&mut task).await.is_pending());
            // The chain waits for the same round, and goes on after this task.
            debug::sync().await;
            drop(task);
        })
        .value();
        assert_usable();
    });
}

#[test]
fn a_long_chain_is_freed_when_its_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Option<AsyncTask<u32>>> = const { RefCell::new(None) };
    }

    on_small_stack(|| {
        let task = chain(waits(), CHAIN / 10);
        KEPT.with(|kept| kept.replace(Some(task)));
    });
}

#[test]
fn a_long_chain_of_joins_runs() {
    let length = CHAIN / 10;
    let sum = on_small_stack(move || {
        let top = (0..length).fold(waits(), |below, _| {
            AsyncTask::new(async move {
                let (below, own) = all((below, AsyncTask::new(async { 1 }))).await;
                below + own
            })
        });
        top.value()
    });
    assert_eq!(sum, length);
}

#[test]
fn a_failure_goes_up_a_long_chain() {
    let error = on_small_stack(|| {
        let bottom = AsyncTask::new(async { panic!("at the bottom") });
        chain(bottom, CHAIN / 10).outcome().unwrap_err()
    });
    assert_eq!(error.message(), "at the bottom");
}

#[test]
fn a_deadlock_at_the_end_of_a_long_chain_is_reported() {
    on_small_stack(|| {
        let (_promise, future) = promise();
        let error = chain(AsyncTask::new(future), CHAIN / 10).outcome().unwrap_err();
        assert_eq!(error.kind(), TaskErrorKind::Deadlock);
        assert_usable();
    });
}

#[test]
fn a_long_chain_is_driven_by_a_synchronous_call() {
    let values = on_small_stack(|| {
        // The chain waits in the outer call, then an inner one takes it over.
        let top = chain(waits(), CHAIN / 10);
        let calls = {
            let top = top.clone();
            AsyncTask::new(async move { top.value() })
        };
        all([top, calls]).value()
    });
    assert_eq!(values, [CHAIN / 10; 2]);
}

#[test]
fn a_wide_join_makes_one_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let tasks = (0..200_000).map(|key| {
        let numbers = numbers.clone();
        AsyncTask::new(async move { numbers.item(key).await.unwrap() })
    });
    let values = all(tasks).value();
    assert_eq!(values.len(), 200_000);
    assert_eq!(log.take().lines().count(), 1);
}

#[test]
fn a_task_that_very_many_await_wakes_all_of_them() {
    let shared = waits();
    let tasks = (1..=100_000_u32).map(|n| {
        let shared = shared.clone();
        AsyncTask::new(async move { shared.await + n })
    });
    assert_eq!(all(tasks).value().into_iter().map(u64::from).sum::<u64>(), 5_000_050_000);
}

#[test]
fn very_many_rounds_end() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = AsyncTask::new(async move {
        let mut last = 0;
        for key in 0..100_000 {
            last = numbers.item(key).await.unwrap();
        }
        last
    });
    assert_eq!(task.value(), 999_990);
    assert_eq!(log.take().lines().count(), 100_000);
}

#[test]
fn a_long_chain_of_contexts_is_switched() {
    let length = 10_000;
    on_small_stack(move || {
        let level = ScopedValue::new(0);
        let bottom = {
            let level = level.clone();
            AsyncTask::new(async move {
                debug::sync().await;
                level.get()
            })
        };
        let top = (0..length).fold(bottom, |below, n| {
            AsyncTask::new(with_context(level.override_with(length - n), below))
        });
        // The innermost override holds at the bottom.
        assert_eq!(top.value(), length);
        assert_eq!(level.get(), 0);
    });
}
