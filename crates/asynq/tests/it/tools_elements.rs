//! Tools that call an async function with each of some elements.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::cmp::Reverse;

use asynq::tools::{afilter, afilterfalse, amap, amax, amin, asift, asorted};
use asynq::{AsyncTask, ConstFuture, FutureBase, Source, all, asynq, debug};
use expect_test::expect;
use proptest::prelude::*;

use crate::common::{Log, Store, assert_usable, message_of, store, without_lines};

/// A function of a number that asks a source for it, and goes on with the answer.
fn with_answer<T: 'static>(
    source: &Source<Store>,
    go_on: impl Fn(u32) -> T + Copy + 'static,
) -> impl Fn(u32) -> AsyncTask<T> {
    move |n| {
        let item = source.item(n);
        AsyncTask::new(async move { go_on(item.await.unwrap()) })
    }
}

/// True, unless it panics after `rounds` rounds, of which there are some.
fn failing_in(rounds: usize) -> AsyncTask<bool> {
    AsyncTask::new(async move {
        for _ in 0..rounds {
            debug::sync().await;
        }
        assert!(rounds == 0, "failed in round {rounds}");
        true
    })
}

#[test]
fn all_calls_share_a_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    amap(with_answer(&numbers, |n| n), 1..=3).value();
    afilter(with_answer(&numbers, |n| n > 10), 1..=3).value();
    afilterfalse(with_answer(&numbers, |n| n > 10), 1..=3).value();
    asift(with_answer(&numbers, |n| n > 10), 1..=3).value();
    asorted(1..=3, with_answer(&numbers, Reverse)).value();
    amax(1..=3, with_answer(&numbers, |n| n)).value();
    amin(1..=3, with_answer(&numbers, |n| n)).value();
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\n".repeat(7));
}

#[test]
fn tools_that_are_awaited_together_share_a_flush() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let found = all((
        amap(with_answer(&numbers, |n| n), [1, 2]),
        afilter(with_answer(&numbers, |n| n > 30), [3, 4]),
        asorted([5, 6], with_answer(&numbers, Reverse)),
        amax([7, 8], with_answer(&numbers, |n| n)),
    ));
    assert_eq!(found.value(), (vec![10, 20], vec![4], vec![6, 5], Some(8)));
    assert_eq!(log.take(), "flush numbers [1, 2, 3, 4, 5, 6, 7, 8]\n");
}

#[test]
fn they_work_inside_tasks() {
    #[asynq]
    async fn is_even(n: u32) -> bool {
        debug::sync().await;
        n.is_multiple_of(2)
    }

    #[asynq]
    async fn count_even(end: u32) -> usize {
        afilter(is_even::asynq, 0..end).await.len()
    }

    assert_eq!(amap(count_even::asynq, [3, 4, 9]).value(), [2, 2, 5]);
}

#[test]
fn a_function_may_return_any_future_of_this_crate() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let answers = amap(|n| numbers.item(n), [1, 2]).value();
    assert_eq!(answers.into_iter().map(Result::unwrap).sum::<u32>(), 30);
    assert_eq!(asorted([2, 1], ConstFuture::new).value(), [1, 2]);
}

#[test]
fn elements_may_be_borrowed_while_the_calls_are_made() {
    let words = [String::from("two"), String::from("three")];
    let lengths = amap(|word: &String| ConstFuture::new(word.len()), &words);
    assert_eq!(lengths.value(), [3, 5]);
}

#[test]
fn the_first_panic_in_the_order_of_the_elements_is_passed_on() {
    let message = message_of(|| afilter(failing_in, [0, 3, 1]).value());
    assert!(message.starts_with("failed in round 3"), "{message}");
    assert_usable();
}

#[test]
fn a_panic_reaches_the_task_that_awaits_and_no_other() {
    let fails = AsyncTask::new(async { asorted([0, 1], failing_in).await });
    let works = AsyncTask::new(async { asorted([0, 0], failing_in).await });
    let caught = AsyncTask::new(async move { (fails.outcome().is_err(), works.await.len()) });
    assert_eq!(caught.value(), (true, 2));
}

#[test]
fn a_task_is_called_by_the_name_of_its_tool() {
    let task = amax([1], ConstFuture::new);
    expect![[r#"
        AsyncTask(asynq::tools::amax, called at crates/asynq/tests/it/tools_elements.rs, not started)
    "#]]
    .assert_eq(&without_lines(&format!("{task:?}")));
}

proptest! {
    #[test]
    fn they_agree_with_the_methods_of_iterators(elements in prop::collection::vec(0_u8..20, 0..12)) {
        let pairs: Vec<_> = elements.iter().copied().enumerate().collect();
        // Tasks that end in different rounds, so that the order of ends is not that of elements.
        let key = |(_, n): (usize, u8)| AsyncTask::new(async move {
            for _ in 0..n % 3 {
                debug::sync().await;
            }
            n / 2
        });
        let is_odd = |(_, n): (usize, u8)| {
            let task = key((0, n));
            AsyncTask::new(async move { task.await % 2 == 1 })
        };
        let odd = |&(_, n): &(usize, u8)| n / 2 % 2 == 1;
        let halves = |&(_, n): &(usize, u8)| n / 2;
        let all = || pairs.iter().copied();

        prop_assert_eq!(amap(key, all()).value(), all().map(|pair| halves(&pair)).collect::<Vec<_>>());
        prop_assert_eq!(afilter(is_odd, all()).value(), all().filter(odd).collect::<Vec<_>>());
        prop_assert_eq!(
            afilterfalse(is_odd, all()).value(),
            all().filter(|pair| !odd(pair)).collect::<Vec<_>>()
        );
        prop_assert_eq!(asift(is_odd, all()).value(), all().partition::<Vec<_>, _>(odd));
        let mut sorted = pairs.clone();
        sorted.sort_by_key(halves);
        prop_assert_eq!(asorted(all(), key).value(), sorted);
        prop_assert_eq!(amax(all(), key).value(), all().max_by_key(halves));
        prop_assert_eq!(amin(all(), key).value(), all().min_by_key(halves));
    }
}
