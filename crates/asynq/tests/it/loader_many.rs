//! Batches with so many keys that equal ones are found when the batch is sent.

use std::hash::{Hash, Hasher};

use asynq::loader::LocalLoad;
use asynq::{AsyncTask, FutureBase, LocalLoader, all};

use crate::common::{Log, assert_usable, later};

/// Number of keys after which loads are looked up later.
const MANY: u32 = 4096;

/// A loader of tenfold numbers that writes the keys below 100 into a log.
fn tens(log: &Log) -> LocalLoader<u32, u32> {
    let log = log.clone();
    LocalLoader::new(move |keys: Vec<u32>| {
        let few: Vec<_> = keys.iter().filter(|&&key| key < 100).collect();
        log.add(format_args!("load {few:?}"));
        keys.into_iter().map(|key| key * 10).collect::<Vec<_>>()
    })
}

/// Loads so many keys that further ones are looked up later.
fn fill(loader: &LocalLoader<u32, u32>) -> Vec<LocalLoad<u32, u32>> {
    (100..100 + MANY).map(|key| loader.load(key)).collect()
}

#[test]
fn equal_keys_are_asked_for_once() {
    let log = Log::new();
    let tens = tens(&log);
    let first = tens.load(1);
    let many = fill(&tens);
    let loads = [2, 1, 2, 100].map(|key| tens.load(key));
    assert_eq!(first.value().unwrap(), 10);
    assert_eq!(all(loads).value().map(Result::unwrap), [20, 10, 20, 1000]);
    assert_eq!(all(many).value().len(), MANY as usize);
    assert_eq!(log.take(), "load [1, 2]\n");
}

#[test]
fn loads_of_equal_keys_count_before_their_batch_is_sent() {
    let tens = tens(&Log::new());
    let many = fill(&tens);
    let loads = [1, 2, 1].map(|key| tens.load(key));
    assert_eq!((tens.stats().hits, loads[0].batch().len()), (1, many.len() + 2));
    assert_eq!(all(loads).value().map(Result::unwrap), [10, 20, 10]);
}

#[test]
fn the_loader_with_most_different_keys_goes_first() {
    let log = Log::new();
    let (same, different) = (tens(&log), tens(&log));
    let _many = [fill(&same), fill(&different)];
    drop(all((same.load_many([1, 1, 1]), different.load_many([2, 3]))).value());
    assert_eq!(log.take(), "load [2, 3]\nload [1]\n");
}

#[test]
fn the_loads_of_equal_keys_may_be_dropped_in_any_order() {
    for kept in 0..3 {
        let log = Log::new();
        let tens = tens(&log);
        let _many = fill(&tens);
        let mut loads = Vec::from([1, 1, 1].map(|key| tens.load(key)));
        let load = loads.remove(kept);
        drop(loads);
        assert_eq!(load.value().unwrap(), 10);
        assert_eq!(log.take(), "load [1]\n");
    }
}

#[test]
fn a_key_whose_loads_are_dropped_is_not_sent() {
    let log = Log::new();
    let tens = tens(&log);
    let many = fill(&tens);
    drop([1, 1].map(|key| tens.load(key)));
    drop(all(many).value());
    assert_eq!(log.take(), "load []\n");
}

#[test]
fn equal_keys_of_a_part_in_flight_have_their_value_when_it_ends() {
    let loader = LocalLoader::new(async |keys: Vec<u32>| {
        later(1).await;
        keys
    })
    .max_batch_size(MANY as usize + 1);
    let _many = fill(&loader);
    let loads = [1, 2, 1, 2].map(|key| loader.load(key));
    assert_eq!(all(loads).value().map(Result::unwrap), [1, 2, 1, 2]);
}

#[test]
fn a_callback_of_each_load_of_an_equal_key_is_called() {
    let log = Log::new();
    let tens = tens(&log);
    let _many = fill(&tens);
    let loads = [1, 1, 1].map(|key| tens.load(key));
    for (number, load) in loads.iter().enumerate() {
        let log = log.clone();
        load.on_computed(move || log.add(number));
    }
    drop(all(loads).value());
    assert_eq!(log.take(), "load [1]\n0\n1\n2\n");
}

#[test]
fn a_panic_while_a_value_is_cloned_is_that_of_the_one_who_takes_it() {
    struct Unique(u32);

    impl Clone for Unique {
        fn clone(&self) -> Self {
            panic!("there can be only one {}", self.0)
        }
    }

    let loader =
        LocalLoader::new(|keys: Vec<u32>| keys.into_iter().map(Unique).collect::<Vec<_>>());
    let _many: Vec<_> = (100..100 + MANY).map(|key| loader.load(key)).collect();
    let (first, second) = (loader.load(1), loader.load(1));
    let error = AsyncTask::new(first).outcome().err().unwrap();
    assert_eq!(error.message(), "there can be only one 1");
    assert!(second.value().is_ok(), "the last handle needs no clone");
}

/// A key whose hash panics if it is 13.
#[derive(Clone, Debug, Eq)]
struct Hashed(u32);

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert!(self.0 != 13, "13 has no hash");
        self.0.hash(state);
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[test]
fn a_panic_of_the_hash_of_a_key_is_that_of_its_load_alone() {
    let loader = LocalLoader::new(|keys: Vec<Hashed>| keys);
    let _many: Vec<_> = (100..100 + MANY).map(|key| loader.load(Hashed(key))).collect();
    let [one, failing, two] = [1, 13, 2].map(|key| AsyncTask::new(loader.load(Hashed(key))));
    let failed = AsyncTask::new(async move { (one.await, two.await) });
    let outcome = failing.outcome();
    assert_eq!(outcome.unwrap_err().message(), "13 has no hash");
    let (one, two) = failed.value();
    assert_eq!((one.unwrap().0, two.unwrap().0), (1, 2));
    assert_usable();
}
