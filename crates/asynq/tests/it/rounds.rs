//! Rounds: everything runnable runs first, then one batch is flushed.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use asynq::{AsyncTask, FutureBase, Source, all, promise, try_all};
use expect_test::expect;

use crate::common::{Log, Store, logged, store, store_with_priority};

/// Asks `steps` times, each time for the value of the time before.
fn chain(source: &Source<Store>, key: u32, steps: usize) -> AsyncTask<u32> {
    let source = source.clone();
    AsyncTask::new(async move {
        let mut value = key;
        for _ in 0..steps {
            value = source.item(value).await.unwrap();
        }
        value
    })
}

#[test]
fn a_fan_out_of_two_levels_makes_two_batches() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let values = all((1..=4).map(|key| chain(&numbers, key, 2))).value();
    assert_eq!(values, [100, 200, 300, 400]);
    expect![[r#"
        flush numbers [1, 2, 3, 4]
        flush numbers [10, 20, 30, 40]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn tasks_of_uneven_depth_share_the_rounds_they_have_in_common() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let depths = [3, 1, 2];
    all(depths.into_iter().map(|depth| chain(&numbers, 1, depth))).value();
    expect![[r#"
        flush numbers [1, 1, 1]
        flush numbers [10, 10]
        flush numbers [100]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn an_item_joins_its_batch_when_it_is_made() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (first, second) = (numbers.item(1), numbers.item(2));
    assert_eq!(first.value().unwrap(), 10);
    assert!(second.is_computed());
    assert_eq!(log.take(), "flush numbers [1, 2]\n");
}

#[test]
fn the_batch_with_the_most_items_goes_first() {
    let log = Log::new();
    let (few, many) = (store(&log, "few"), store(&log, "many"));
    try_all([few.item(1), many.item(1), many.item(2)]).value().unwrap();
    expect![[r#"
        flush many [1, 2]
        flush few [1]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn among_equals_the_batch_opened_first_goes_first() {
    let log = Log::new();
    let sources = ["first", "second", "third"].map(|name| store(&log, name));
    // Opened in the order of `sources`, asked for in the opposite one.
    let mut items = sources.each_ref().map(|source| source.item(1));
    items.reverse();
    try_all(items).value().unwrap();
    expect![[r#"
        flush first [1]
        flush second [1]
        flush third [1]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_higher_priority_comes_before_more_items() {
    let log = Log::new();
    let low = store_with_priority(&log, "low", -1);
    let normal = store(&log, "normal");
    let high = store_with_priority(&log, "high", 1);
    try_all([low.item(1), low.item(2), low.item(3), normal.item(1), normal.item(2), high.item(1)])
        .value()
        .unwrap();
    expect![[r#"
        flush high [1]
        flush normal [1, 2]
        flush low [1, 2, 3]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn among_equal_priorities_the_number_of_items_decides() {
    let log = Log::new();
    let few = store_with_priority(&log, "few", 5);
    let many = store_with_priority(&log, "many", 5);
    try_all([few.item(1), many.item(1), many.item(2)]).value().unwrap();
    assert_eq!(log.take(), "flush many [1, 2]\nflush few [1]\n");
}

#[test]
fn what_a_flush_woke_runs_before_the_next_flush() {
    let log = Log::new();
    let (users, posts) = (store(&log, "users"), store(&log, "posts"));
    // The first flush lets two tasks ask `posts`, where one waits already.
    let late = (1..=2).map(|key| {
        let (users, posts) = (users.clone(), posts.clone());
        AsyncTask::new(async move {
            let user = users.item(key).await.unwrap();
            posts.item(user).await.unwrap()
        })
    });
    let early = posts.item(7);
    let (late, early) = all((all(late), early)).value();
    assert_eq!((late, early.unwrap()), (vec![100, 200], 70));
    expect![[r#"
        flush users [1, 2]
        flush posts [7, 10, 20]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn staggered_tasks_meet_again_in_the_fullest_batch() {
    let log = Log::new();
    let (a, b) = (store(&log, "a"), store(&log, "b"));
    let task = |first: &Source<Store>, second: &Source<Store>, key| {
        let (first, second) = (first.clone(), second.clone());
        AsyncTask::new(async move {
            first.item(key).await.unwrap();
            second.item(key).await.unwrap()
        })
    };
    // One is a step ahead of the others: `b` waits for them, since `a` has more items.
    all([task(&b, &a, 1), task(&a, &b, 2), task(&a, &b, 3)]).value();
    expect![[r#"
        flush a [2, 3]
        flush b [1, 2, 3]
        flush a [1]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn tasks_start_in_the_order_given_depth_first() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let parent = |name: &'static str, children: [&'static str; 2]| {
        let (log, numbers) = (log.clone(), numbers.clone());
        AsyncTask::new(async move {
            log.add(format_args!("{name} starts"));
            all(children.map(|child| logged(&log, child, numbers.item(1)))).await;
            log.add(format_args!("{name} goes on"));
        })
    };
    all([parent("a", ["a1", "a2"]), parent("b", ["b1", "b2"])]).value();
    expect![[r#"
        a starts
        a1 starts
        a2 starts
        b starts
        b1 starts
        b2 starts
        flush numbers [1, 1, 1, 1]
        a1 gets 10
        a2 gets 10
        a goes on
        b1 gets 10
        b2 gets 10
        b goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn woken_tasks_go_on_in_the_order_in_which_they_began_to_wait() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    // Their items stand in the batch in the opposite order.
    let (third, second, first) = (numbers.item(3), numbers.item(2), numbers.item(1));
    all([logged(&log, "a", first), logged(&log, "b", second), logged(&log, "c", third)]).value();
    expect![[r#"
        a starts
        b starts
        c starts
        flush numbers [3, 2, 1]
        a gets 10
        b gets 20
        c gets 30
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn setting_a_promise_does_not_interrupt_the_task_that_sets_it() {
    let log = Log::new();
    let (promise, future) = promise();
    let reader = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("reader starts");
            future.await;
            log.add("reader goes on");
        })
    };
    let writer = {
        let log = log.clone();
        AsyncTask::new(async move {
            promise.set_value(());
            log.add("writer ends");
        })
    };
    all((reader, writer)).value();
    expect![[r#"
        reader starts
        writer ends
        reader goes on
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn what_is_computed_already_does_not_wait() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let (awaited, other) = (numbers.item(1), numbers.item(2));
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            awaited.await.unwrap();
            log.add("waited once");
            other.await.unwrap()
        })
    };
    // If it waited, the second task would go on in between.
    all([task, logged(&log, "other", numbers.item(3))]).value();
    expect![[r#"
        other starts
        flush numbers [1, 2, 3]
        waited once
        other gets 30
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn the_same_program_makes_the_same_batches_every_time() {
    let run = || {
        let log = Log::new();
        let sources = ["a", "b", "c"].map(|name| store(&log, name));
        let tasks = (0..30_usize).map(|n| {
            let sources = sources.clone();
            AsyncTask::new(async move {
                let mut value = u32::try_from(n).unwrap();
                for step in 0..n % 5 {
                    value = sources[(n + step) % 3].item(value % 97).await.unwrap();
                }
                value
            })
        });
        (all(tasks).value(), log.take())
    };
    assert_eq!(run(), run());
}
