//! Errors of keys: beside values, and in caches.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use asynq::loader::{LoadError, Lru};
use asynq::{AsyncTask, FutureBase, Loader, LocalLoader};

use expect_test::expect;

use crate::common::assert_usable;

/// A loader whose every key fails, and how often it was called.
fn down() -> (LocalLoader<u32, u32>, Rc<Cell<usize>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let down = LocalLoader::try_new(move |keys: Vec<u32>| {
        counted.set(counted.get() + 1);
        keys.into_iter().map(|_| Err("down")).collect::<Vec<_>>()
    });
    (down.name("down"), calls)
}

#[test]
fn each_key_may_have_its_value_or_error() {
    let even = LocalLoader::new(|keys: Vec<u32>| {
        keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, key)).collect::<HashMap<_, _>>()
    })
    .name("even");
    let [two, three, four] = &even.load_each([2, 3, 4]).value()[..] else { panic!("three keys") };
    assert_eq!((*two.as_ref().unwrap(), *four.as_ref().unwrap()), (2, 4));
    let error = three.as_ref().unwrap_err();
    assert_eq!(error.to_string(), "batch even: nothing came back for key 3");
    assert_eq!(even.stats().batches, 1);
}

#[test]
fn without_keys_there_are_no_results() {
    let (down, calls) = down();
    assert!(down.load_each([]).value().is_empty());
    assert_eq!(calls.get(), 0);
}

#[test]
fn errors_are_not_kept() {
    let (down, calls) = down();
    let down = down.cache();
    assert!(down.load(1).value().is_err() && down.load(1).value().is_err());
    assert_eq!(calls.get(), 2);
}

#[test]
fn errors_are_kept_on_demand() {
    let (down, calls) = down();
    let down = down.cache().cache_errors();
    let message = || down.load(1).value().unwrap_err().to_string();
    assert_eq!([message(), message()], ["batch down: key 1: down"; 2]);
    assert_eq!(calls.get(), 1);
}

#[test]
fn the_error_of_a_whole_batch_is_not_kept() {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let down = LocalLoader::new(move |_: Vec<u32>| {
        counted.set(counted.get() + 1);
        Err::<Vec<u32>, _>("down")
    });
    let down = down.cache().cache_errors();
    assert!(down.load(1).value().is_err() && down.load(1).value().is_err());
    assert_eq!(calls.get(), 2);
}

#[test]
fn a_value_takes_the_place_of_a_kept_error() {
    let (down, calls) = down();
    let down = down.cache_in(Lru::new(1, None)).cache_errors();
    assert!(down.load(1).value().is_err());
    down.prime(1, 10);
    down.prime(2, 20); // There is room for one value.
    assert!(down.load(1).value().is_err());
    assert_eq!(calls.get(), 2, "the error from before the value is not given again");
}

#[test]
fn an_error_does_not_replace_a_value_that_was_primed_before_the_batch() {
    let (down, _) = down();
    let down = down.cache().cache_errors();
    let load = down.load(1);
    down.prime(1, 10);
    assert!(load.value().is_err());
    assert_eq!(down.load(1).value().unwrap(), 10);
}

#[test]
fn a_kept_error_can_be_forgotten() {
    let (down, calls) = down();
    let down = down.cache().cache_errors();
    let load = || assert!(down.load(1).value().is_err());
    load();
    down.clear(&1);
    load();
    down.clear_all();
    load();
    assert_eq!(calls.get(), 3);
}

#[test]
fn kept_errors_go_as_values_do() {
    let (down, calls) = down();
    let start = Instant::now();
    let clock = Arc::new(Mutex::new(Duration::ZERO));
    let time = Arc::clone(&clock);
    let lru =
        Lru::new(2, Duration::from_secs(10)).with_clock(move || start + *time.lock().unwrap());
    let down = down.cache_in(lru).cache_errors();
    let calls_for = |key| {
        assert!(down.load(key).value().is_err());
        calls.take()
    };
    assert_eq!([1, 2, 1, 3].map(calls_for), [1, 1, 0, 1]);
    assert_eq!([2, 3].map(calls_for), [1, 0], "there is room for two");
    *clock.lock().unwrap() = Duration::from_secs(10);
    assert_eq!(calls_for(3), 1, "they are kept for ten seconds");
}

/// A loader in which key 1 is missing and key 2 fails, and how often it was called.
fn missing_or_down() -> (LocalLoader<u32, u32>, Rc<Cell<usize>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let loader = LocalLoader::try_new(move |keys: Vec<u32>| {
        counted.set(counted.get() + 1);
        let failed = keys.into_iter().filter(|&key| key == 2);
        failed.map(|key| (key, Err("down"))).collect::<HashMap<_, _>>()
    });
    (loader, calls)
}

#[test]
fn some_errors_are_kept() {
    let (loader, calls) = missing_or_down();
    let is_missing = |error: &LoadError| matches!(error, LoadError::Missing { .. });
    let loader = loader.cache().cache_errors_if(is_missing);
    let calls_for = |key| {
        assert!(loader.load(key).value().is_err());
        calls.take()
    };
    assert_eq!([1, 1, 2, 2].map(calls_for), [1, 0, 1, 1]);
}

#[test]
fn the_last_choice_of_errors_counts() {
    let (loader, calls) = missing_or_down();
    let loader = loader.cache().cache_errors_if(|_| false).cache_errors();
    assert!(loader.load(2).value().is_err() && loader.load(2).value().is_err());
    assert_eq!(calls.get(), 1);
}

#[test]
fn without_a_cache_nobody_is_asked_which_errors_are_kept() {
    let (loader, _) = missing_or_down();
    let loader = loader.cache_errors_if(|_| panic!("asked"));
    assert!(loader.load(1).value().is_err());
}

#[test]
fn a_choice_of_errors_that_panics_fails_the_loads_of_its_batch() {
    let (loader, calls) = missing_or_down();
    let loader = loader.cache().cache_errors_if(|_| panic!("a bad choice"));
    let error = AsyncTask::new(loader.load(1)).outcome().unwrap_err();
    assert_eq!(error.message(), "a bad choice");
    assert!(AsyncTask::new(loader.load(1)).outcome().is_err());
    assert_eq!(calls.get(), 2);
    assert_usable();
}

#[test]
fn a_choice_of_errors_may_load() {
    let (loader, _) = missing_or_down();
    let itself = Rc::new(RefCell::new(Some(loader.clone())));
    let again = Rc::clone(&itself);
    let loader = loader.cache().cache_errors_if(move |error| {
        let again = again.borrow().clone();
        error.to_string().contains("down") && again.unwrap().load(1).value().is_err()
    });
    assert!(loader.load(2).value().is_err());
    assert!(loader.load(2).value().is_err());
    assert_eq!(loader.stats().keys, 2, "key 1 inside");
    itself.take();
}

#[test]
fn a_load_has_its_value_although_it_cannot_be_kept() {
    #[derive(Debug)]
    struct Once(Rc<Cell<bool>>);

    impl Clone for Once {
        fn clone(&self) -> Self {
            assert!(!self.0.get(), "no more clones");
            Self(Rc::clone(&self.0))
        }
    }

    let refuses = Rc::new(Cell::new(true));
    let loader = {
        let refuses = Rc::clone(&refuses);
        LocalLoader::new(move |_: Vec<u32>| vec![Once(Rc::clone(&refuses))]).cache()
    };
    assert!(loader.load(1).value().unwrap().0.get());
    refuses.set(false);
    assert!(!loader.load(1).value().unwrap().0.get());
    assert_eq!(loader.stats().batches, 2);
    assert_usable();
}

async fn authors(_: Vec<u32>) -> Vec<u32> {
    panic!("no such table")
}

fn blocking_authors(_: Vec<u32>) -> Vec<u32> {
    panic!("no such table")
}

/// The error of a load, without lines and columns.
fn panic_of(load: impl FutureBase + 'static) -> String {
    let error = AsyncTask::new(async { drop(load.await) }).outcome().unwrap_err().to_string();
    error.replace(char::is_numeric, "0")
}

#[test]
fn a_panic_of_an_async_function_names_the_loader_and_the_function() {
    let error = panic_of(Loader::new(authors).name("author").load(1));
    expect![[r#"
        no such table
        asynq stack (most recent call last):
          it::loader_errors::authors, batch function of author at crates/asynq/tests/it/loader_errors.rs:000:00
    "#]].assert_eq(&(error + "\n"));
}

#[test]
fn a_panic_of_an_async_function_of_one_thread_names_the_loader_and_the_function() {
    let error = panic_of(LocalLoader::new(authors).name("author").load(1));
    expect![[r#"
        no such table
        asynq stack (most recent call last):
          it::loader_errors::authors, batch function of author at crates/asynq/tests/it/loader_errors.rs:000:00
    "#]].assert_eq(&(error + "\n"));
}

#[test]
fn a_panic_of_a_plain_function_names_the_loader_and_the_function() {
    let error = panic_of(LocalLoader::new(blocking_authors).load(1));
    expect![[r#"
        no such table
        asynq stack (most recent call last):
          async block, called at crates/asynq/tests/it/loader_errors.rs:000:00
          it::loader_errors::blocking_authors, batch function of loader at crates/asynq/tests/it/loader_errors.rs:000:00
    "#]].assert_eq(&(error + "\n"));
}

#[cfg(feature = "blocking")]
#[test]
fn a_panic_on_a_worker_thread_names_the_loader_and_the_function() {
    let error = panic_of(Loader::blocking(blocking_authors).name("author").load(1));
    expect![[r#"
        no such table
        asynq stack (most recent call last):
          it::loader_errors::blocking_authors, batch function of author at crates/asynq/tests/it/loader_errors.rs:000:00
    "#]].assert_eq(&(error + "\n"));
}
