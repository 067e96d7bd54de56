//! Caches of loaders: their contents, their scopes and their lifetimes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use asynq::loader::Lru;
use asynq::{AsyncTask, FutureBase, LocalLoader, all};

use crate::common::{Log, later};

/// A loader of tenfold numbers that writes its batches into a log.
pub(crate) fn tens(log: &Log) -> LocalLoader<u32, u32> {
    let log = log.clone();
    LocalLoader::new(move |keys: Vec<u32>| {
        log.add(format_args!("load {keys:?}"));
        keys.into_iter().map(|key| (key, key * 10)).collect::<HashMap<_, _>>()
    })
}

/// A load in a task of its own.
pub(crate) fn load(loader: &LocalLoader<u32, u32>, key: u32) -> AsyncTask<u32> {
    let loader = loader.clone();
    AsyncTask::new(async move { loader.load(key).await.unwrap() })
}

#[test]
fn what_was_loaded_is_kept() {
    let log = Log::new();
    let tens = tens(&log).cache();
    assert_eq!((tens.load(1).value().unwrap(), tens.load(1).value().unwrap()), (10, 10));
    assert_eq!(log.take(), "load [1]\n");
    assert_eq!(tens.stats().hits, 1);
}

#[test]
fn what_is_kept_goes_with_what_is_not() {
    let log = Log::new();
    let first = tens(&log).cache();
    first.prime(1, 10);
    let next = LocalLoader::new({
        let log = log.clone();
        move |keys: Vec<u32>| {
            log.add(format_args!("next {keys:?}"));
            keys
        }
    });
    let both = |key| {
        let (first, next) = (first.clone(), next.clone());
        AsyncTask::new(async move { next.load(first.load(key).await.unwrap()).await.unwrap() })
    };
    assert_eq!(all([both(1), both(2)]).value(), [10, 20]);
    assert_eq!(log.take(), "load [2]\nnext [10, 20]\n");
}

#[test]
fn what_is_kept_goes_with_what_is_in_flight() {
    let log = Log::new();
    let first = LocalLoader::new(|keys: Vec<u32>| async {
        later(1).await;
        keys
    })
    .cache();
    first.prime(1, 1);
    let next = tens(&log);
    let both = |key| {
        let (first, next) = (first.clone(), next.clone());
        AsyncTask::new(async move { next.load(first.load(key).await.unwrap()).await.unwrap() })
    };
    assert_eq!(all([both(1), both(2)]).value(), [10, 20]);
    assert_eq!(log.take(), "load [1, 2]\n");
}

#[test]
fn what_is_kept_goes_with_the_last_part_of_its_batch() {
    let log = Log::new();
    let first = LocalLoader::new(|keys: Vec<u32>| async move {
        later(keys[0] as usize).await; // Each part ends in a round of its own.
        keys
    });
    let first = first.cache().max_batch_size(1);
    first.prime(3, 3);
    let [one, two, kept] = [1, 2, 3].map(|key| first.load(key));
    for (name, load) in [("one", &one), ("two", &two), ("kept", &kept)] {
        let log = log.clone();
        load.on_computed(move || log.add(name));
    }
    assert_eq!(all([one, two, kept]).value().map(Result::unwrap), [1, 2, 3]);
    assert_eq!(log.take(), "one\ntwo\nkept\n");
}

#[test]
fn what_is_kept_is_there_though_the_batch_it_went_with_panics() {
    let broken = LocalLoader::new(|_: Vec<u32>| async { panic!("broken") as Vec<u32> }).cache();
    broken.prime(1, 1);
    let (kept, fresh) = (broken.load(1), AsyncTask::new(broken.load(2)));
    assert!(fresh.outcome().is_err());
    assert_eq!(kept.value().unwrap(), 1);
}

#[test]
fn a_key_that_is_cleared_before_it_goes_out_is_asked_for_once() {
    let log = Log::new();
    let tens = tens(&log).cache();
    let before = tens.load(1);
    tens.clear(&1);
    let [before, after] = all([before, tens.load(1)]).value().map(Result::unwrap);
    assert_eq!((before, after), (10, 10));
    assert_eq!(log.take(), "load [1]\n");
    assert_eq!(tens.load(1).value().unwrap(), 10);
    assert_eq!(log.take(), "");
}

#[test]
fn what_is_asked_for_while_kept_values_are_given_is_of_the_next_batch() {
    let tens = LocalLoader::new(|keys: Vec<u32>| async {
        later(1).await;
        keys.into_iter().map(|key| key * 10).collect::<Vec<_>>()
    })
    .cache();
    tens.prime(1, 10);
    let (fresh, kept) = (tens.load(2), tens.load(1));
    let asks = tens.clone();
    kept.on_computed(move || drop(asks.load(3)));
    assert_eq!(fresh.value().unwrap(), 20);
    drop(kept);
    assert_eq!(tens.load(3).value().unwrap(), 30);
}

#[test]
fn what_was_primed_is_not_replaced_by_what_was_in_flight() {
    let older = LocalLoader::new(|keys: Vec<u32>| async {
        later(1).await;
        keys
    })
    .cache();
    let primes = {
        let older = older.clone();
        AsyncTask::new(async move {
            later(1).await;
            older.prime(1, 7);
        })
    };
    assert_eq!(all((older.load(1), primes)).value().0.unwrap(), 1);
    assert_eq!(older.load(1).value().unwrap(), 7);
}

#[test]
fn nothing_goes_out_for_what_is_kept() {
    let log = Log::new();
    let tens = tens(&log).cache();
    tens.prime(1, 7);
    assert_eq!(tens.load_many([1, 1]).value().unwrap(), [7, 7]);
    assert_eq!((log.take().as_str(), tens.stats().batches), ("", 0));
}

#[test]
fn a_plain_call_of_what_is_kept_sends_nothing() {
    let log = Log::new();
    let tens = tens(&log).cache();
    tens.prime(1, 10);
    let two = tens.load(2);
    assert_eq!(tens.load(1).value().unwrap(), 10);
    let three = tens.load(3);
    assert_eq!(all([two, three]).value().map(Result::unwrap), [20, 30]);
    assert_eq!(log.take(), "load [2, 3]\n");
}

#[test]
fn a_call_that_needs_only_what_is_kept_sends_nothing() {
    let log = Log::new();
    let tens = tens(&log).cache();
    tens.prime(1, 10);
    let calls = {
        let tens = tens.clone();
        AsyncTask::new(async move {
            later(1).await;
            load(&tens, 1).value()
        })
    };
    let two = AsyncTask::new({
        let tens = tens.clone();
        async move {
            let two = tens.load(2);
            later(2).await;
            two.await.unwrap()
        }
    });
    assert_eq!(all((two, calls, load(&tens, 3))).value(), (20, 10, 30));
    assert_eq!(tens.stats().batches, 1);
}

#[test]
fn what_is_kept_of_one_loader_does_not_wait_for_another() {
    let log = Log::new();
    let kept = tens(&log).cache();
    kept.prime(1, 10);
    let other = LocalLoader::new({
        let log = log.clone();
        move |keys: Vec<u32>| {
            log.add(format_args!("other {keys:?}"));
            keys
        }
    });
    let first = {
        let (kept, other) = (kept.clone(), other.clone());
        AsyncTask::new(async move { other.load(kept.load(1).await.unwrap()).await.unwrap() })
    };
    assert_eq!(all((first, other.load(2))).value().0, 10);
    assert_eq!(log.take(), "other [2, 10]\n");
}

#[test]
fn what_is_forgotten_is_loaded_again() {
    let log = Log::new();
    let tens = tens(&log).cache();
    tens.load_many([1, 2]).value().unwrap();
    tens.clear(&1);
    tens.load_many([1, 2]).value().unwrap();
    tens.clear_all();
    tens.load_many([1, 2]).value().unwrap();
    assert_eq!(log.take(), "load [1, 2]\nload [1]\nload [1, 2]\n");
}

/// A loader that keeps its values and whose batches take a round.
fn slow(log: &Log) -> LocalLoader<u32, u32> {
    let log = log.clone();
    let slow = LocalLoader::new(move |keys: Vec<u32>| {
        log.add(format_args!("load {keys:?}"));
        async move {
            later(1).await;
            keys
        }
    });
    slow.cache()
}

/// Loads some keys, and does something while they are in flight.
fn meanwhile(loader: &LocalLoader<u32, u32>, keys: [u32; 2], act: impl FnOnce() + 'static) {
    let acts = AsyncTask::new(async move {
        later(1).await;
        act();
    });
    all((loader.load_many(keys), acts)).value().0.unwrap();
}

#[test]
fn what_is_forgotten_in_flight_is_not_kept() {
    let log = Log::new();
    let slow = slow(&log);
    let clears = slow.clone();
    meanwhile(&slow, [1, 2], move || clears.clear(&1));
    slow.load_many([1, 2]).value().unwrap();
    assert_eq!(log.take(), "load [1, 2]\nload [1]\n");
}

#[test]
fn when_all_is_forgotten_nothing_in_flight_is_kept() {
    let log = Log::new();
    let slow = slow(&log);
    let clears = slow.clone();
    meanwhile(&slow, [1, 2], move || clears.clear_all());
    slow.load_many([1, 2]).value().unwrap();
    assert_eq!(log.take(), "load [1, 2]\nload [1, 2]\n");
}

#[test]
fn what_is_forgotten_in_flight_is_asked_for_again_at_once() {
    let log = Log::new();
    let slow = slow(&log);
    let asks = slow.clone();
    meanwhile(&slow, [1, 2], move || {
        asks.clear(&1);
        asks.load_many([1, 2]).value().unwrap();
    });
    assert_eq!(log.take(), "load [1, 2]\nload [1]\n");
}

#[test]
fn when_all_is_forgotten_nothing_in_flight_is_shared() {
    let log = Log::new();
    let slow = slow(&log);
    let asks = slow.clone();
    meanwhile(&slow, [1, 2], move || {
        asks.clear_all();
        asks.load_many([1, 2]).value().unwrap();
    });
    assert_eq!(log.take(), "load [1, 2]\nload [1, 2]\n");
}

#[test]
fn it_may_keep_in_any_map() {
    let log = Log::new();
    let tens = tens(&log).cache_in(BTreeMap::new());
    load(&tens, 1).value();
    load(&tens, 1).value();
    assert_eq!(log.take(), "load [1]\n");
}

#[test]
fn an_lru_forgets_what_was_used_least_recently() {
    let log = Log::new();
    let tens = tens(&log).cache_in(Lru::new(2, None));
    for key in [1, 2, 1, 3, 1, 2] {
        load(&tens, key).value();
    }
    assert_eq!(log.take(), "load [1]\nload [2]\nload [3]\nload [2]\n");
}

#[test]
fn an_lru_forgets_what_is_too_old() {
    let log = Log::new();
    let (start, passed) = (Instant::now(), Arc::new(Mutex::new(Duration::ZERO)));
    let clock = Arc::clone(&passed);
    let lru =
        Lru::new(2, Duration::from_secs(10)).with_clock(move || start + *clock.lock().unwrap());
    let tens = tens(&log).cache_in(lru);
    load(&tens, 1).value();
    *passed.lock().unwrap() = Duration::from_secs(9);
    load(&tens, 1).value();
    *passed.lock().unwrap() = Duration::from_secs(10);
    load(&tens, 1).value();
    assert_eq!(log.take(), "load [1]\nload [1]\n");
}
