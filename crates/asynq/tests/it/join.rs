//! Joins: their shapes, and what they do with failures.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::hash::BuildHasherDefault;
use std::hash::DefaultHasher;
use std::pin::Pin;

use asynq::{
    AsyncTask, BatchItem, ConstFuture, ErrorFuture, FutureBase, LazyFuture, TaskErrorKind, all,
    debug, promise, try_all,
};
use expect_test::expect;

use crate::common::{Log, Store, message_of, poll_outside, store};

/// A task that waits a round first.
fn later<T: 'static>(value: T) -> AsyncTask<T> {
    AsyncTask::new(async move {
        debug::sync().await;
        value
    })
}

/// A task that waits a round, says that it ends, and panics.
fn panics(log: &Log, message: &'static str) -> AsyncTask<u32> {
    let log = log.clone();
    AsyncTask::new(async move {
        debug::sync().await;
        log.add(format_args!("{message} panics"));
        panic!("{message}")
    })
}

#[test]
fn an_iterator_gives_a_vec_in_its_order() {
    assert_eq!(all((1..=3).map(later)).value(), [1, 2, 3]);
}

#[test]
fn a_vec_gives_a_vec() {
    let values: Vec<u32> = all(vec![later(1), later(2)]).value();
    assert_eq!(values, [1, 2]);
}

#[test]
fn an_array_gives_an_array() {
    let values: [u32; 2] = all([later(1), later(2)]).value();
    assert_eq!(values, [1, 2]);
}

#[test]
fn an_option_gives_an_option() {
    assert_eq!(all(Some(later(1))).value(), Some(1));
    assert_eq!(all(None::<AsyncTask<u32>>).value(), None);
}

#[test]
fn a_tuple_gives_a_tuple_of_different_types() {
    assert_eq!(all((later(1),)).value(), (1,));
    assert_eq!(all((later(1), ConstFuture::new("two"))).value(), (1, "two"));
}

#[test]
fn a_tuple_may_have_twelve_fields() {
    let l = later;
    let values = all((l(1), l(2), l(3), l(4), l(5), l(6), l(7), l(8), l(9), l(10), l(11), l(12)));
    assert_eq!(values.value(), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

#[test]
fn a_hash_map_gives_a_hash_map() {
    let values = all(HashMap::from([("a", later(1)), ("b", later(2))])).value();
    assert_eq!(values, HashMap::from([("a", 1), ("b", 2)]));
}

#[test]
fn a_hash_map_keeps_its_hasher() {
    type Hasher = BuildHasherDefault<DefaultHasher>;
    let futures: HashMap<_, _, Hasher> = HashMap::from_iter([("a", later(1))]);
    let values: HashMap<_, _, Hasher> = all(futures).value();
    assert_eq!(values["a"], 1);
}

#[test]
fn a_btree_map_starts_in_the_order_of_its_keys() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let ask = |key| {
        let numbers = numbers.clone();
        (key, AsyncTask::new(async move { numbers.item(key).await.unwrap() }))
    };
    let values = all(BTreeMap::from([3, 1, 2].map(ask))).value();
    assert_eq!(values, BTreeMap::from([(1, 10), (2, 20), (3, 30)]));
    assert_eq!(log.take(), "flush numbers [1, 2, 3]\n");
}

#[test]
fn joins_nest() {
    let pair = |n| all((later(n), later(n * 10)));
    let (pairs, one) = all((all((1..=2).map(pair)), all([later(7)]))).value();
    assert_eq!(pairs, [(1, 10), (2, 20)]);
    assert_eq!(one, [7]);
}

#[test]
fn an_empty_join_is_computed() {
    let none = all(Vec::<AsyncTask<u32>>::new());
    assert!(none.is_computed());
    assert!(none.value().is_empty());
    assert!(all([(); 0].map(later)).value().is_empty());
    assert!(all(BTreeMap::<u32, AsyncTask<u32>>::new()).value().is_empty());
}

#[test]
fn a_join_of_computed_futures_does_not_wait() {
    let log = Log::new();
    let task = {
        let log = log.clone();
        AsyncTask::new(async move {
            let two = all([ConstFuture::new(1), ConstFuture::new(2)]).await;
            log.add(format_args!("{two:?}"));
        })
    };
    let other = log.clone();
    all((task, AsyncTask::new(async move { other.add("other") }))).value();
    assert_eq!(log.take(), "[1, 2]\nother\n");
}

#[test]
fn a_join_of_computed_futures_needs_no_task() {
    assert!(poll_outside(&mut all([ConstFuture::new(1)])).is_ready());
}

#[test]
fn a_join_waits_for_the_slowest_and_goes_on_once() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let asks = |steps: usize| {
        let numbers = numbers.clone();
        AsyncTask::new(async move {
            for step in 0..steps {
                numbers.item(u32::try_from(step).unwrap()).await.unwrap();
            }
            steps
        })
    };
    let root = {
        let (log, join) = (log.clone(), all([asks(2), asks(0), asks(1)]));
        AsyncTask::new(async move {
            let values = join.await;
            log.add(format_args!("{values:?}"));
        })
    };
    root.value();
    expect![[r#"
        flush numbers [0, 0]
        flush numbers [1]
        [2, 0, 1]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_task_may_be_part_of_a_join_twice() {
    let task = later(1);
    assert_eq!(all([task.clone(), task]).value(), [1, 1]);
}

#[test]
fn a_join_of_everything_that_can_be_awaited() {
    let (promise, future) = promise();
    promise.set_value(4);
    let log = Log::new();
    let values = all((
        later(1),
        ConstFuture::new(2),
        LazyFuture::new(|| 3),
        future,
        ErrorFuture::<u32, _>::new(5),
        store(&log, "numbers").item(6),
        debug::sync(),
    ))
    .value();
    assert!(matches!(values, (1, 2, 3, 4, Err(5), Ok(60), ())));
}

#[test]
fn a_join_is_computed_when_all_of_it_is() {
    let (first, second) = (later(1), later(2));
    let join = all([first.clone(), second.clone()]);
    first.value();
    assert!(!join.is_computed());
    second.value();
    assert!(join.is_computed());
}

#[test]
fn a_callback_of_a_join_comes_once_with_the_last() {
    let log = Log::new();
    let (first, second) = (later(1), later(2));
    let join = all([first.clone(), second.clone()]);
    {
        let log = log.clone();
        join.on_computed(move || log.add("all"));
    }
    second.value();
    assert_eq!(log.take(), "");
    first.value();
    assert_eq!(log.take(), "all\n");
}

#[test]
fn the_first_panic_in_the_order_given_comes_after_all_have_ended() {
    let log = Log::new();
    let quick = {
        let log = log.clone();
        AsyncTask::new(async move {
            log.add("quick panics");
            panic!("quick")
        })
    };
    let slow = {
        let log = log.clone();
        AsyncTask::new(async move {
            debug::sync().await;
            debug::sync().await;
            log.add("slow ends");
            1
        })
    };
    let root = {
        let join = all([panics(&log, "first"), quick, slow]);
        AsyncTask::new(join)
    };
    assert_eq!(root.outcome().unwrap_err().message(), "first");
    expect![[r#"
        quick panics
        first panics
        slow ends
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_panic_in_a_nested_join_is_found_in_the_order_given() {
    let log = Log::new();
    let join = all((all([panics(&log, "inner")]), panics(&log, "outer")));
    assert_eq!(AsyncTask::new(join).outcome().unwrap_err().message(), "inner");
}

#[test]
fn a_panic_of_a_lazy_future_leaves_the_others_to_run() {
    let log = Log::new();
    let other = {
        let log = log.clone();
        AsyncTask::new(async move {
            debug::sync().await;
            log.add("other ends");
            1
        })
    };
    let error = AsyncTask::new(all((LazyFuture::<u32>::new(|| panic!("lazy")), other))).outcome();
    assert_eq!(error.unwrap_err().kind(), TaskErrorKind::Panicked);
    assert_eq!(log.take(), "other ends\n");
}

#[test]
fn a_panic_of_a_join_comes_out_of_value() {
    let log = Log::new();
    let message = message_of(|| all([panics(&log, "broken")]).value());
    assert!(message.starts_with("broken\n"), "{message}");
}

/// Awaits a join, and returns how often it was polled.
async fn polls(mut join: impl Future + Unpin) -> u32 {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        Pin::new(&mut join).poll(cx)
    })
    .await;
    polls
}

/// Items of two sources, with one between them that is computed.
fn partly_computed(log: &Log) -> [BatchItem<Store>; 3] {
    let [one, two, known] = ["one", "two", "known"].map(|name| store(log, name));
    let known = known.item(0);
    known.batch().flush();
    log.take();
    [one.item(1), known, two.item(1)]
}

/// Asserts that a join requests all of its parts in its first poll, and is polled again only when all
/// of them are computed.
#[track_caller]
fn assert_asks_once(join: impl FnOnce(&Log) -> AsyncTask<u32>) {
    let log = Log::new();
    let join = join(&log);
    assert_eq!(join.value(), 2, "once to ask for all, and once when all are there");
    assert_eq!(log.take(), "flush one [1]\nflush two [1]\n");
}

#[test]
fn a_tuple_that_is_partly_computed_waits_for_all_of_the_rest() {
    assert_asks_once(|log| {
        let [one, known, two] = partly_computed(log);
        AsyncTask::new(polls(all((one, known, two))))
    });
}

#[test]
fn an_array_that_is_partly_computed_waits_for_all_of_the_rest() {
    assert_asks_once(|log| AsyncTask::new(polls(all(partly_computed(log)))));
}

#[test]
fn a_map_that_is_partly_computed_waits_for_all_of_the_rest() {
    assert_asks_once(|log| {
        let parts = (0..).zip(partly_computed(log));
        AsyncTask::new(polls(all(parts.collect::<BTreeMap<_, _>>())))
    });
}

#[test]
fn try_all_gives_the_values() {
    let values = try_all((1..=3).map(|n| later(Ok::<_, ()>(n)))).value();
    assert_eq!(values, Ok(vec![1, 2, 3]));
}

#[test]
fn try_all_gives_the_first_error_in_the_order_given() {
    let fails = |rounds: usize, error: &'static str| {
        AsyncTask::new(async move {
            for _ in 0..rounds {
                debug::sync().await;
            }
            Err::<u32, _>(error)
        })
    };
    // The second happens first.
    assert_eq!(try_all([fails(2, "slow"), fails(0, "quick")]).value(), Err("slow"));
}

#[test]
fn try_all_lets_all_run_to_their_end() {
    let log = Log::new();
    let slow = {
        let log = log.clone();
        AsyncTask::new(async move {
            debug::sync().await;
            log.add("slow ends");
            Ok::<u32, &str>(1)
        })
    };
    assert_eq!(try_all((ErrorFuture::<u32, _>::new("no"), slow)).value(), Err("no"));
    assert_eq!(log.take(), "slow ends\n");
}

#[test]
fn in_try_all_a_panic_comes_before_an_error() {
    let log = Log::new();
    let panicking = panics(&log, "panic");
    let panicking = AsyncTask::new(async move { Ok::<u32, &str>(panicking.await) });
    let error = AsyncTask::new(try_all((ErrorFuture::<u32, _>::new("no"), panicking))).outcome();
    assert_eq!(error.unwrap_err().message(), "panic");
}

#[test]
fn try_all_keeps_every_shape() {
    let good = |n: u32| ConstFuture::new(Ok::<_, ()>(n));
    assert_eq!(try_all([good(1)]).value(), Ok([1]));
    assert_eq!(try_all((good(1), good(2))).value(), Ok((1, 2)));
    assert_eq!(try_all(Some(good(1))).value(), Ok(Some(1)));
    assert_eq!(try_all(HashMap::from([(1, good(2))])).value(), Ok(HashMap::from([(1, 2)])));
    assert_eq!(try_all(BTreeMap::from([(1, good(2))])).value(), Ok(BTreeMap::from([(1, 2)])));
}

#[test]
fn a_try_all_can_be_part_of_a_join() {
    let join = all((try_all([ConstFuture::new(Ok::<_, ()>(1))]), later(2)));
    assert_eq!(join.value(), (Ok([1]), 2));
}
