//! A loader: which keys its function gets, and what becomes of what it returns.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use asynq::loader::{LengthError, LoadError};
use asynq::{AsyncTask, BatchError, FutureBase, LocalLoader, all, asynq};
use expect_test::expect;

use crate::common::{Log, assert_usable, later, store};

/// A loader of tenfold numbers that writes its batches into a log.
fn tens(log: &Log) -> LocalLoader<u32, u32> {
    let log = log.clone();
    LocalLoader::new(move |keys: Vec<u32>| {
        log.add(format_args!("load {keys:?}"));
        keys.into_iter().map(|key| (key, key * 10)).collect::<HashMap<_, _>>()
    })
    .name("tens")
}

/// The message of an error and of its causes.
fn messages(error: &BatchError) -> Vec<String> {
    let mut next: Option<&dyn Error> = Some(error);
    std::iter::from_fn(|| {
        let error = next?;
        next = error.source();
        Some(error.to_string())
    })
    .collect()
}

#[test]
fn keys_that_are_asked_for_together_go_out_together() {
    let log = Log::new();
    let tens = tens(&log);
    assert_eq!(all([tens.load(3), tens.load(1)]).value().map(Result::unwrap), [30, 10]);
    assert_eq!(log.take(), "load [3, 1]\n");
}

#[test]
fn equal_keys_are_asked_for_once() {
    let log = Log::new();
    let tens = tens(&log);
    assert_eq!(tens.load_many([3, 1, 3]).value().unwrap(), [30, 10, 30]);
    assert_eq!(log.take(), "load [3, 1]\n");
}

#[test]
fn a_key_is_asked_for_again_in_a_later_batch() {
    let log = Log::new();
    let tens = tens(&log);
    assert_eq!((tens.load(1).value().unwrap(), tens.load(1).value().unwrap()), (10, 10));
    assert_eq!(log.take(), "load [1]\nload [1]\n");
}

#[test]
fn a_vec_is_in_the_order_of_the_keys() {
    let squares = LocalLoader::new(|keys: Vec<u32>| keys.iter().map(|n| n * n).collect::<Vec<_>>());
    assert_eq!(squares.load_many([3, 2]).value().unwrap(), [9, 4]);
}

#[test]
fn a_map_may_be_sorted() {
    let names = LocalLoader::new(|keys: Vec<u32>| {
        keys.into_iter().map(|key| (key, key.to_string())).collect::<BTreeMap<_, _>>()
    });
    assert_eq!(names.load(7).value().unwrap(), "7");
}

#[test]
fn a_vec_of_another_length_fails_each_load() {
    let short = LocalLoader::new(|_: Vec<u32>| vec![1]).name("short");
    let [one, two] = all([short.load(1), short.load(2)]).value().map(Result::unwrap_err);
    expect![[r#"
        [
            "batch short: key 2: the batch function was given 2 keys and returned 1 values; return one for each key, in their order, or a map",
            "key 2: the batch function was given 2 keys and returned 1 values; return one for each key, in their order, or a map",
            "the batch function was given 2 keys and returned 1 values; return one for each key, in their order, or a map",
        ]
    "#]].assert_debug_eq(&messages(&two));
    let Some(LoadError::Failed { error, .. }) = one.source().and_then(|e| e.downcast_ref()) else {
        panic!("{one:?}");
    };
    assert_eq!(error.downcast_ref(), Some(&LengthError { keys: 2, values: 1 }));
}

#[test]
fn a_key_for_which_nothing_comes_back_fails_by_name() {
    let none = LocalLoader::new(|_: Vec<u32>| HashMap::<u32, u32>::new()).name("none");
    let error = none.load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch none: nothing came back for key 7");
    assert!(matches!(
        error.source().and_then(|error| error.downcast_ref()),
        Some(LoadError::Missing { key }) if key == "7"
    ));
}

#[test]
fn what_nobody_asked_for_is_left() {
    let more = LocalLoader::new(|_: Vec<u32>| HashMap::from([(1, "one"), (2, "two")]));
    assert_eq!(more.load(1).value().unwrap(), "one");
}

#[test]
fn a_key_for_which_nothing_comes_back_may_have_a_default() {
    let none = LocalLoader::new(|_: Vec<u32>| HashMap::new()).default_with(|key| key + 1);
    assert_eq!(none.load(7).value().unwrap(), 8);
}

#[test]
fn a_default_does_not_replace_an_error() {
    let down = LocalLoader::try_new(|keys: Vec<u32>| {
        keys.into_iter().map(|key| (key, Err::<u32, _>("down"))).collect::<HashMap<_, _>>()
    });
    assert!(down.default_with(|key| key + 1).load(7).value().is_err());
}

/// Not `Clone`.
#[derive(Debug)]
struct Unlucky(u32);

impl fmt::Display for Unlucky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is unlucky", self.0)
    }
}

impl Error for Unlucky {}

#[test]
fn an_error_of_one_key_is_that_of_its_loads_alone() {
    let lucky = LocalLoader::try_new(|keys: Vec<u32>| {
        let lucky = |key| if key == 13 { Err(Unlucky(key)) } else { Ok(key) };
        keys.into_iter().map(lucky).collect::<Vec<_>>()
    })
    .name("lucky");
    let [seven, one, other] = all([lucky.load(7), lucky.load(13), lucky.load(13)]).value();
    assert_eq!(seven.unwrap(), 7);
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(
            messages(&error),
            ["batch lucky: key 13: 13 is unlucky", "key 13: 13 is unlucky", "13 is unlucky"]
        );
    }
}

#[test]
fn an_error_of_the_batch_is_that_of_each_load() {
    let down = LocalLoader::new(|_: Vec<u32>| Err::<Vec<u32>, _>(Unlucky(13))).name("down");
    let [one, two] = all([down.load(1), down.load(2)]).value().map(Result::unwrap_err);
    assert_eq!(one.to_string(), "batch down: key 1: 13 is unlucky");
    assert_eq!(two.to_string(), "batch down: key 2: 13 is unlucky");
}

#[test]
fn a_panic_of_the_function_reaches_those_who_wait() {
    let broken = LocalLoader::new(|keys: Vec<u32>| -> Vec<u32> { panic!("no {keys:?}") });
    let load = broken.load(1);
    let error = AsyncTask::new(async move { load.await.is_ok() }).outcome().unwrap_err();
    assert_eq!(error.message(), "no [1]");
    assert_usable();
}

#[test]
fn after_a_panic_a_key_is_asked_for_again() {
    let broken = Cell::new(true);
    let loader = LocalLoader::new(move |keys: Vec<u32>| {
        assert!(!broken.replace(false), "broken");
        keys
    });
    assert!(AsyncTask::new(loader.load(1)).outcome().is_err());
    assert_eq!(loader.load(1).value().unwrap(), 1);
}

#[test]
fn a_batch_has_no_more_keys_than_it_may() {
    let log = Log::new();
    let tens = tens(&log).max_batch_size(2);
    assert_eq!(tens.load_many(1..6).value().unwrap(), [10, 20, 30, 40, 50]);
    assert_eq!(log.take(), "load [1, 2]\nload [3, 4]\nload [5]\n");
}

#[test]
fn a_panic_in_one_part_of_a_round_keeps_no_other_from_going_out() {
    let picky = LocalLoader::new(|keys: Vec<u32>| {
        assert!(keys != [1], "not 1");
        keys
    })
    .max_batch_size(1);
    let (one, two) = (picky.load(1), picky.load(2));
    assert!(AsyncTask::new(one).outcome().is_err());
    assert_eq!(two.value().unwrap(), 2);
}

#[test]
fn a_function_may_be_async_and_ask_other_sources() {
    let log = Log::new();
    let source = store(&log, "store");
    let doubled = LocalLoader::try_new({
        let log = log.clone();
        move |keys: Vec<u32>| {
            log.add(format_args!("load {keys:?}"));
            all(keys.into_iter().map(|key| source.item(2 * key)))
        }
    });
    assert_eq!(doubled.load_many([1, 2]).value().unwrap(), [20, 40]);
    assert_eq!(log.take(), "load [1, 2]\nflush store [2, 4]\n");
}

#[asynq]
async fn tenfold(keys: Vec<u32>) -> Vec<u32> {
    later(1).await;
    keys.into_iter().map(|key| key * 10).collect()
}

#[test]
fn a_function_may_be_an_asynq_function() {
    let loader = LocalLoader::new(tenfold::asynq);
    assert_eq!(loader.load_many([1, 2]).value().unwrap(), [10, 20]);
}

#[test]
fn hooks_are_called_around_each_batch() {
    let log = Log::new();
    let (before, after) = (log.clone(), log.clone());
    let tens = tens(&log)
        .max_batch_size(2)
        .before_flush(move |keys| before.add(format_args!("before {keys:?}")))
        .after_flush(move |batch| after.add(format_args!("after {:?}", batch.keys)));
    tens.load_many([1, 2, 3]).value().unwrap();
    expect![[r#"
        before [1, 2]
        load [1, 2]
        after [1, 2]
        before [3]
        load [3]
        after [3]
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn a_hook_is_told_of_an_error() {
    let log = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&log);
    let down = LocalLoader::new(|_: Vec<u32>| Err::<Vec<u32>, _>("down"))
        .after_flush(move |batch| *seen.borrow_mut() = batch.error.map(ToString::to_string));
    assert!(down.load(1).value().is_err());
    assert_eq!(log.take().as_deref(), Some("down"));
}

#[test]
fn a_hook_is_told_of_a_panic() {
    let log = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&log);
    let broken = LocalLoader::new(|_: Vec<u32>| -> Vec<u32> { panic!("broken") })
        .after_flush(move |batch| *seen.borrow_mut() = batch.error.map(ToString::to_string));
    assert!(AsyncTask::new(broken.load(1)).outcome().is_err());
    assert!(log.take().expect("the hook was called").starts_with("broken\n"));
    assert_eq!(broken.stats().batches, 1);
}

#[test]
fn a_panic_of_the_hook_after_a_batch_spoils_none_of_its_loads() {
    let tens = tens(&Log::new()).after_flush(|_| panic!("hook"));
    assert_eq!(tens.load_many([1, 2]).value().unwrap(), [10, 20]);
}

#[test]
fn a_panic_of_the_hook_after_a_batch_keeps_no_other_batch_from_being_sent() {
    let tens = tens(&Log::new()).max_batch_size(1).after_flush(|_| panic!("hook"));
    assert_eq!(tens.load_many([1, 2]).value().unwrap(), [10, 20]);
}

#[test]
fn a_panic_of_the_hook_after_a_batch_keeps_no_other_hook_from_being_called() {
    let log = Log::new();
    let after = log.clone();
    let tens = tens(&Log::new())
        .after_flush(|_| panic!("hook"))
        .after_flush(move |batch| after.add(format_args!("after {:?}", batch.keys)));
    tens.load(1).value().unwrap();
    assert_eq!(log.take(), "after [1]\n");
}

#[test]
fn a_panic_of_the_hook_before_a_batch_is_that_of_its_loads() {
    let tens = tens(&Log::new()).before_flush(|_| panic!("hook"));
    let error = AsyncTask::new(tens.load(1)).outcome().unwrap_err();
    assert_eq!(error.message(), "hook");
}

#[test]
fn a_panic_for_one_key_leaves_those_before_it_what_they_have() {
    let loader = LocalLoader::new(|_: Vec<u32>| HashMap::<u32, u32>::new())
        .default_with(|&key| if key == 2 { panic!("no {key}") } else { key });
    let (one, two) = (loader.load(1), loader.load(2));
    assert_eq!(AsyncTask::new(two).outcome().unwrap_err().message(), "no 2");
    assert_eq!(one.value().unwrap(), 1);
}

#[test]
fn it_counts() {
    let tens = tens(&Log::new()).max_batch_size(2);
    tens.load_many([1, 2, 3, 1]).value().unwrap();
    let stats = tens.stats();
    assert_eq!((stats.batches, stats.keys, stats.hits, stats.largest), (2, 3, 1, 2));
}

#[test]
fn loads_of_equal_keys_count_before_their_batch_is_sent() {
    let tens = tens(&Log::new());
    let loads = [1, 2, 1].map(|key| tens.load(key));
    assert_eq!((tens.stats().hits, loads[0].batch().len()), (1, 2));
    assert_eq!(all(loads).value().map(Result::unwrap), [10, 20, 10]);
}

#[test]
fn the_loader_with_most_different_keys_goes_first() {
    let log = Log::new();
    let (same, different) = (tens(&log), tens(&log));
    drop(all((same.load_many([1, 1, 1]), different.load_many([2, 3]))).value());
    assert_eq!(log.take(), "load [2, 3]\nload [1]\n");
}

#[test]
fn a_key_that_was_counted_is_shared_with_later_loads() {
    let log = Log::new();
    let tens = tens(&log);
    let first = tens.load(1);
    assert_eq!(tens.stats().keys, 0);
    let later = [1, 2, 1].map(|key| tens.load(key));
    assert_eq!(first.value().unwrap(), 10);
    assert_eq!(all(later).value().map(Result::unwrap), [10, 20, 10]);
    assert_eq!(log.take(), "load [1, 2]\n");
}

#[test]
fn the_loads_of_equal_keys_may_be_dropped_in_any_order() {
    let log = Log::new();
    let tens = tens(&log);
    for kept in 0..3 {
        let mut loads = Vec::from([1, 1, 1].map(|key| tens.load(key)));
        let load = loads.remove(kept);
        drop(loads);
        assert_eq!(load.value().unwrap(), 10);
    }
    assert_eq!(log.take(), "load [1]\n".repeat(3));
}

#[test]
fn equal_keys_of_a_part_in_flight_have_their_value_when_it_ends() {
    let loader = LocalLoader::new(async |keys: Vec<u32>| {
        later(1).await;
        keys
    })
    .max_batch_size(1);
    let loads = [1, 2, 1, 2].map(|key| loader.load(key));
    assert_eq!(all(loads).value().map(Result::unwrap), [1, 2, 1, 2]);
}

#[test]
fn a_callback_of_each_load_of_an_equal_key_is_called() {
    let log = Log::new();
    let tens = tens(&log);
    let loads = [1, 1, 1].map(|key| tens.load(key));
    for (number, load) in loads.iter().enumerate() {
        let log = log.clone();
        load.on_computed(move || log.add(number));
    }
    drop(all(loads).value());
    assert_eq!(log.take(), "load [1]\n0\n1\n2\n");
}

#[test]
fn the_loader_of_highest_priority_goes_first() {
    let log = Log::new();
    let urgent = tens(&log).priority(1);
    let many = LocalLoader::new({
        let log = log.clone();
        move |keys: Vec<u32>| {
            log.add(format_args!("many {keys:?}"));
            keys
        }
    });
    drop(all((many.load_many([1, 2]), urgent.load(3))).value());
    assert_eq!(log.take(), "load [3]\nmany [1, 2]\n");
}

#[test]
fn a_function_may_call_its_own_loader() {
    let own: Rc<RefCell<Option<LocalLoader<u32, u32>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let factorial = LocalLoader::new(move |keys: Vec<u32>| {
        let before = |key: u32| {
            let loader = inner.borrow().clone().expect("it is set");
            loader.load(key - 1).value().unwrap()
        };
        keys.into_iter().map(|key| if key == 0 { 1 } else { key * before(key) }).collect::<Vec<_>>()
    });
    *own.borrow_mut() = Some(factorial.clone());
    assert_eq!(factorial.load(5).value().unwrap(), 120);
    own.take();
}

#[test]
fn after_a_batch_was_cancelled_equal_keys_are_asked_for_once() {
    let log = Log::new();
    let tens = tens(&log);
    let cancelled = tens.load(1);
    cancelled.batch().cancel();
    assert_eq!(tens.load_many([2, 2]).value().unwrap(), [20, 20]);
    assert_eq!(log.take(), "load [2]\n");
}

#[test]
fn a_load_that_is_dropped_takes_nothing_from_the_others() {
    let log = Log::new();
    let tens = tens(&log);
    let (one, other) = (tens.load(1), tens.load(1));
    drop(one);
    assert_eq!(other.value().unwrap(), 10);
}
