//! Calls that are awaited directly: they run as parts of their callers, and nobody can tell.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use asynq::debug::AsynqStack;
use asynq::{AsyncTask, FutureBase, ScopedValue, Source, all, asynq, debug, promise, with_context};
use expect_test::expect;
use futures::executor::{LocalPool, block_on};
use futures::stream::FuturesUnordered;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt, join};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::common::{Log, Store, assert_usable, message_of, store, without_lines};

#[asynq]
async fn ten_fold(numbers: Source<Store>, n: u32) -> u32 {
    numbers.item(n).await.unwrap()
}

/// Waits for two rounds.
#[asynq]
async fn hundred_fold(numbers: Source<Store>, n: u32) -> u32 {
    let once = ten_fold::asynq(numbers.clone(), n).await;
    ten_fold::asynq(numbers, once).await
}

#[asynq]
async fn yields(n: u32) -> u32 {
    yield_now().await;
    n
}

#[asynq]
async fn yields_twice(n: u32) -> u32 {
    yields::asynq(n).await + yields::asynq(n).await
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a_call_is_send_if_its_body_is() {
    assert_eq!(assert_send(yields_twice::asynq(1)).value(), 2);
}

#[test]
fn a_call_of_a_method_is_send_if_its_body_is() {
    #[derive(Clone)]
    struct Scale(u32);

    #[asynq]
    impl Scale {
        async fn apply(&self, n: u32) -> u32 {
            self.0 * yields::asynq(n).await
        }
    }

    assert_eq!(assert_send(Scale(3).apply_asynq(2)).value(), 6);
}

#[test]
fn a_call_goes_on_in_any_thread_of_another_executor() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let calls: Vec<_> = (0..20).map(|n| runtime.spawn(yields_twice::asynq(n))).collect();
    let sum = calls.into_iter().map(|call| runtime.block_on(call).unwrap()).sum::<u32>();
    assert_eq!(sum, 380);
}

#[test]
fn the_branches_of_a_join_ask_in_one_round() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = {
        let numbers = numbers.clone();
        AsyncTask::new(async move {
            join!(
                hundred_fold::asynq(numbers.clone(), 1),
                hundred_fold::asynq(numbers.clone(), 2),
                ten_fold::asynq(numbers, 3),
            )
        })
    };
    assert_eq!(task.value(), (100, 200, 30));
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\nflush numbers [10, 20]\n");
}

#[test]
fn the_calls_in_a_queue_ask_in_one_round() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let queue: FuturesUnordered<_> =
        (1..=3).map(|n| hundred_fold::asynq(numbers.clone(), n)).collect();
    let values: Vec<u32> = AsyncTask::new(queue.collect()).value();
    assert_eq!(values, [100, 200, 300]);
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\nflush numbers [10, 20, 30]\n");
}

#[test]
fn calls_and_tasks_go_on_in_the_order_in_which_they_began_to_wait() {
    #[asynq]
    async fn logged(log: Log, name: &'static str) {
        debug::sync().await;
        log.add(name);
    }

    #[asynq]
    async fn calls(log: Log, name: &'static str) {
        logged::asynq(log, name).await;
    }

    let log = Log::new();
    all((
        calls::asynq(log.clone(), "first"),
        logged::asynq(log.clone(), "second"),
        calls::asynq(log.clone(), "third"),
    ))
    .value();
    assert_eq!(log.take(), "first\nsecond\nthird\n");
}

#[test]
fn calls_awaited_by_another_executor_share_a_batch() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let mut pool = LocalPool::new();
    for n in 1..=3 {
        let call = ten_fold::asynq(numbers.clone(), n);
        pool.spawner().spawn_local(call.map(drop)).unwrap();
    }
    pool.run();
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\n");
    assert_usable();
}

thread_local! {
    static LOCALE: ScopedValue<&'static str> = ScopedValue::new("en");
}

fn locale() -> &'static str {
    LOCALE.with(ScopedValue::get)
}

#[asynq]
async fn locale_twice() -> [&'static str; 2] {
    let before = locale();
    debug::sync().await;
    [before, locale()]
}

#[asynq]
async fn in_french() -> [&'static str; 4] {
    let french = LOCALE.with(|value| value.override_with("fr"));
    let inside = async {
        let [one, two] = locale_twice::asynq().await;
        let [three, four] = locale_twice::asynq().task().await;
        [one, two, three, four]
    };
    with_context(french, inside).await
}

#[test]
fn a_context_that_a_call_enters_is_active_in_what_it_awaits() {
    let both = AsyncTask::new(async { join!(in_french::asynq(), locale_twice::asynq()) });
    assert_eq!(both.value(), (["fr"; 4], ["en"; 2]));
    assert_eq!(locale(), "en");
}

#[test]
fn a_context_is_active_in_a_call_that_another_executor_polls() {
    let both = async { join!(in_french::asynq(), async { locale() }, locale_twice::asynq()) };
    assert_eq!(block_on(both), (["fr"; 4], "en", ["en"; 2]));
    assert_eq!(locale(), "en");
    assert_usable();
}

#[test]
fn a_context_of_a_call_that_is_dropped_by_another_executor_is_left() {
    block_on(async {
        let mut call = Box::pin(in_french::asynq());
        assert!(futures::poll!(&mut call).is_pending());
        assert_eq!(locale(), "en");
    });
    assert_eq!(locale(), "en");
    assert_usable();
}

#[test]
fn calls_of_functions_that_call_each_other_take_no_native_stack() {
    #[asynq]
    async fn is_even(n: u32) -> bool {
        n == 0 || is_odd::asynq(n - 1).task().await
    }

    #[asynq]
    async fn is_odd(n: u32) -> bool {
        n != 0 && is_even::asynq(n - 1).await
    }

    assert!(is_even(100_000));
}

#[test]
fn calls_that_are_pinned_in_boxes_take_no_native_stack() {
    #[asynq]
    async fn depth(n: u32) -> u32 {
        if n == 0 {
            debug::sync().await;
            return 0;
        }
        Box::pin(depth::asynq(n - 1)).await + 1
    }

    assert_eq!(depth(100_000), 100_000);
}

#[asynq]
async fn broken() -> u32 {
    debug::sync().await;
    panic!("out of order")
}

#[asynq]
async fn calls_broken() -> u32 {
    broken::asynq().await
}

#[test]
fn a_panic_in_a_call_names_all_calls_around_it() {
    let error = calls_broken::asynq().outcome().unwrap_err();
    expect![[r#"
        out of order
        asynq stack (most recent call last):
          it::calls_in_place::calls_broken, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::broken, called at crates/asynq/tests/it/calls_in_place.rs
    "#]]
    .assert_eq(&without_lines(&error.to_string()));
    assert_usable();
}

#[test]
fn a_panic_in_a_call_that_another_executor_polls_names_all_calls_around_it() {
    let message = message_of(|| block_on(calls_broken::asynq()));
    expect![[r#"
        out of order
        asynq stack (most recent call last):
          it::calls_in_place::calls_broken, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::broken, called at crates/asynq/tests/it/calls_in_place.rs
    "#]]
    .assert_eq(&without_lines(&message));
    assert_usable();
}

#[test]
fn a_deadlock_names_the_calls_of_a_join() {
    #[asynq]
    async fn waits(future: asynq::PromiseFuture<u32>) -> u32 {
        future.await
    }

    #[asynq]
    async fn calls_waits(future: asynq::PromiseFuture<u32>) -> u32 {
        waits::asynq(future).await
    }

    let ((_one, first), (_other, second)) = (promise(), promise());
    let both =
        AsyncTask::new(async move { join!(calls_waits::asynq(first), waits::asynq(second)) });
    let error = both.outcome().unwrap_err();
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for it::calls_in_place::calls_waits, called at crates/asynq/tests/it/calls_in_place.rs,
                      promise, made at crates/asynq/tests/it/calls_in_place.rs,
                      it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::calls_waits, called at crates/asynq/tests/it/calls_in_place.rs
            waits for it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
            waits for promise, made at crates/asynq/tests/it/calls_in_place.rs
    "#]]
    .assert_eq(&without_lines(error.message()));
    assert_usable();
}

#[test]
fn a_deadlock_names_the_calls_in_which_each_task_waits_now() {
    #[asynq]
    async fn waits(future: asynq::PromiseFuture<u32>) -> u32 {
        future.await
    }

    #[asynq]
    async fn waits_elsewhere(future: asynq::PromiseFuture<u32>) -> u32 {
        future.await
    }

    let numbers = store(&Log::default(), "numbers");
    let ((_one, one), (_other, other)) = (promise(), promise());
    let ((_same, same), (_own, own)) = (promise(), promise::<u32>());
    let tasks = [
        AsyncTask::new(async { waits::asynq(one).await }),
        AsyncTask::new(async { waits_elsewhere::asynq(other).await }),
        AsyncTask::new(async { waits::asynq(same).await }),
        AsyncTask::new(async { ten_fold::asynq(numbers, 1).await + own.await }),
    ];
    let error = AsyncTask::new(async { all(tasks).await }).outcome().unwrap_err();
    expect![[r#"
        deadlock: these tasks can never go on:
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for async block, called at crates/asynq/tests/it/calls_in_place.rs,
                      async block, called at crates/asynq/tests/it/calls_in_place.rs,
                      async block, called at crates/asynq/tests/it/calls_in_place.rs,
                      async block, called at crates/asynq/tests/it/calls_in_place.rs
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
            waits for promise, made at crates/asynq/tests/it/calls_in_place.rs
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for it::calls_in_place::waits_elsewhere, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::waits_elsewhere, called at crates/asynq/tests/it/calls_in_place.rs
            waits for promise, made at crates/asynq/tests/it/calls_in_place.rs
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
          it::calls_in_place::waits, called at crates/asynq/tests/it/calls_in_place.rs
            waits for promise, made at crates/asynq/tests/it/calls_in_place.rs
          async block, called at crates/asynq/tests/it/calls_in_place.rs
            waits for promise, made at crates/asynq/tests/it/calls_in_place.rs
    "#]].assert_eq(&without_lines(error.message()));
    assert_usable();
}

#[test]
fn a_call_has_a_debug_form() {
    let call = yields::asynq(1);
    expect![[r#"
        AsyncCall(it::calls_in_place::yields, called at crates/asynq/tests/it/calls_in_place.rs, not started)
    "#]]
    .assert_eq(&without_lines(&format!("{call:?}")));
}

#[test]
fn a_plain_call_that_wakes_itself_goes_on() {
    assert_eq!(yields_twice(1), 2);
    assert_usable();
}

#[test]
fn a_plain_call_is_made_where_another_call_waits_for_nothing() {
    #[asynq]
    async fn outer(numbers: Source<Store>) -> (u32, AsynqStack) {
        let value = ten_fold(numbers, 1);
        (value, debug::format_asynq_stack().unwrap())
    }

    let log = Log::new();
    let (value, stack) = outer(store(&log, "numbers"));
    assert_eq!((value, stack.calls().len()), (10, 1));
    assert_eq!(log.take(), "flush numbers [1]\n");
    assert_usable();
}

#[test]
fn a_plain_call_stands_in_the_stack_of_the_tasks_that_its_calls_make() {
    #[asynq]
    async fn makes_a_task() -> AsynqStack {
        AsyncTask::new(async { debug::format_asynq_stack().unwrap() }).await
    }

    #[asynq]
    async fn outer() -> AsynqStack {
        makes_a_task::asynq().await
    }

    let stack = outer();
    let names: Vec<_> = stack.calls().iter().map(|call| call.function).collect();
    assert!(names[0].ends_with("outer") && names[1].ends_with("makes_a_task"), "{names:?}");
    assert_eq!(names.len(), 3);
}
