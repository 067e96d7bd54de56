//! Functions whose values are kept in a store, with real servers.
#![cfg(target_os = "linux")]
#![allow(clippy::needless_pass_by_value, reason = "a test owns its server")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use asynq::stores::{Cached, Codec, KeyValue};
use asynq::{AsyncTask, BoxError, FutureBase, all, promise};

use crate::common::{self, Log};
use crate::key_value::{Kind, for_each_kind};

for_each_kind! {
    what_is_kept_is_not_computed
    many_calls_are_one_batch_to_read_and_one_to_write
    equal_calls_compute_once
    functions_with_other_prefixes_do_not_share_values
    a_value_is_kept_for_its_time
    an_argument_may_be_anything
    errors_are_not_kept
    a_codec_may_be_given
    what_cannot_be_decoded_is_computed_and_replaced
    what_cannot_be_encoded_is_returned
    a_store_that_is_down_costs_no_value
    a_store_that_goes_down_before_the_write_costs_no_value
    a_value_may_be_forgotten
    what_began_before_a_value_was_forgotten_is_not_kept
    a_panic_is_that_of_the_caller
}

/// The square of a number, and a log of the calls.
fn square(store: &impl KeyValue, log: &Log) -> Cached<u64, u64> {
    let log = log.clone();
    store.cached("square", Duration::from_secs(60), move |n: u64| {
        log.add(n);
        AsyncTask::new(async move { n * n })
    })
}

/// Logs the errors of the cache.
fn errors<A: serde::Serialize + 'static, T: Clone + 'static>(
    cached: Cached<A, T>,
) -> (Cached<A, T>, Log) {
    let log = Log::new();
    let errors = log.clone();
    (cached.on_error(move |error| errors.add(error)), log)
}

fn what_is_kept_is_not_computed<S: Kind>(server: S) {
    let log = Log::new();
    let (square, errors) = errors(square(&server.store(), &log));
    assert_eq!((square.call(7), square.call(7)), (49, 49));
    assert_eq!(server.store().get("square:7").value().unwrap(), Some(b"49".to_vec()));
    assert_eq!((log.take(), errors.take()), ("7\n".to_owned(), String::new()));
}

fn many_calls_are_one_batch_to_read_and_one_to_write<S: Kind>(server: S) {
    let (store, log) = (server.store(), Log::new());
    let square = square(&store, &log);
    let squares = || all((0..100).map(|n| square.asynq(n))).value();
    let expected: Vec<_> = (0..100).map(|n| n * n).collect();
    assert_eq!(squares(), expected);
    assert_eq!((store.stats().batches, store.stats().keys), (2, 200));
    log.take();
    assert_eq!(squares(), expected);
    assert_eq!((store.stats().batches, store.stats().keys), (3, 300));
    assert_eq!(log.take(), "");
}

fn equal_calls_compute_once<S: Kind>(server: S) {
    let (store, log) = (server.store(), Log::new());
    let square = square(&store, &log);
    assert_eq!(all([7, 8, 7].map(|n| square.asynq(n))).value(), [49, 64, 49]);
    assert_eq!(log.take(), "7\n8\n");
    assert_eq!(store.stats().keys, 4);
}

fn functions_with_other_prefixes_do_not_share_values<S: Kind>(server: S) {
    let store = server.store();
    let [one, two] = ["one", "two"].map(|prefix| {
        store.cached(prefix, None, move |_: u32| AsyncTask::new(async move { prefix.to_owned() }))
    });
    assert_eq!((one.call(7), two.call(7)), ("one".to_owned(), "two".to_owned()));
    assert_eq!((one.call(7), two.call(7)), ("one".to_owned(), "two".to_owned()));
}

fn a_value_is_kept_for_its_time<S: Kind>(server: S) {
    let calls = Rc::new(Cell::new(0));
    let counts = {
        let calls = Rc::clone(&calls);
        server.store().cached("count", Duration::from_millis(1), move |(): ()| {
            calls.set(calls.get() + 1);
            let calls = calls.get();
            AsyncTask::new(async move { calls })
        })
    };
    let first = counts.call(());
    while counts.call(()) == first {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(calls.get(), 2);
}

fn an_argument_may_be_anything<S: Kind>(server: S) {
    let calls = Rc::new(Cell::new(0));
    let len = {
        let calls = Rc::clone(&calls);
        server.store().cached("a:b", None, move |(text, number): (String, i32)| {
            calls.set(calls.get() + 1);
            AsyncTask::new(async move { (text.len(), number) })
        })
    };
    let (len, errors) = errors(len);
    let long = "x".repeat(10_000);
    let texts = ["", " ", "\r\nget a", "\0", "ä", "\u{7f}", "日本", "\"", &long];
    let calls_of = || {
        for text in texts {
            for number in [1, 2] {
                assert_eq!(len.call((text.to_owned(), number)), (text.len(), number), "{text:?}");
            }
        }
        calls.take()
    };
    assert_eq!(calls_of(), 18);
    assert_eq!(calls_of(), 0);
    assert_eq!(errors.take(), "");
}

fn errors_are_not_kept<S: Kind>(server: S) {
    let (store, log) = (server.store(), Log::new());
    let parse = {
        let log = log.clone();
        store.try_cached("parse", None, move |text: &'static str| {
            log.add(text);
            AsyncTask::new(async move { text.parse::<u32>() })
        })
    };
    let (parse, errors) = errors(parse);
    for _ in 0..2 {
        assert_eq!(parse.call("7"), Ok(7));
        assert!(parse.call("seven").is_err());
    }
    assert_eq!(log.take(), "7\nseven\nseven\n");
    assert_eq!(errors.take(), "");
}

/// Numbers as they lie in memory, even ones only.
struct Even;

impl Codec<u32> for Even {
    fn encode(&self, value: &u32) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(value.is_multiple_of(2).then(|| value.to_le_bytes().to_vec()))
    }

    fn decode(&self, bytes: &[u8]) -> Result<u32, BoxError> {
        Ok(u32::from_le_bytes(bytes.try_into()?))
    }
}

fn a_codec_may_be_given<S: Kind>(server: S) {
    let (store, log) = (server.store(), Log::new());
    let next = {
        let log = log.clone();
        store.cached_as(Even, "next", None, move |n: u32| {
            log.add(n);
            AsyncTask::new(async move { n + 1 })
        })
    };
    let (next, errors) = errors(next);
    for n in [1, 2, 1, 2] {
        assert_eq!(next.call(n), n + 1);
    }
    assert_eq!(log.take(), "1\n2\n2\n");
    assert_eq!(store.get("next:1").value().unwrap(), Some(vec![2, 0, 0, 0]));
    assert_eq!(errors.take(), "");
}

fn what_cannot_be_decoded_is_computed_and_replaced<S: Kind>(server: S) {
    let (store, log) = (server.store(), Log::new());
    let (square, errors) = errors(square(&store, &log));
    store.set("square:7", "many").value().unwrap();
    assert_eq!((square.call(7), square.call(7)), (49, 49));
    assert_eq!(log.take(), "7\n");
    let expected = format!("batch {}: key \"square:7\": expected value at line 1", S::NAME);
    let error = errors.take();
    assert!(error.starts_with(&expected), "{error}");
}

/// Nothing can be kept by it.
struct Broken;

impl Codec<u32> for Broken {
    fn encode(&self, _: &u32) -> Result<Option<Vec<u8>>, BoxError> {
        Err("broken".into())
    }

    fn decode(&self, _: &[u8]) -> Result<u32, BoxError> {
        Err("broken".into())
    }
}

fn what_cannot_be_encoded_is_returned<S: Kind>(server: S) {
    let next = |n: u32| AsyncTask::new(async move { n + 1 });
    let (next, errors) = errors(server.store().cached_as(Broken, "next", None, next));
    assert_eq!(next.call(1), 2);
    assert_eq!(errors.take(), format!("batch {}: key \"next:1\": broken\n", S::NAME));
}

fn a_store_that_is_down_costs_no_value<S: Kind>(mut server: S) {
    let log = Log::new();
    let (square, errors) = errors(square(&server.store(), &log));
    server.kill();
    assert_eq!(all([7, 8].map(|n| square.asynq(n))).value(), [49, 64]);
    // Neither read nor written.
    assert_eq!(errors.take().lines().count(), 4);
    server.restart();
    assert_eq!((square.call(7), square.call(7)), (49, 49));
    assert_eq!((log.take(), errors.take()), ("7\n8\n7\n".to_owned(), String::new()));
}

fn a_store_that_goes_down_before_the_write_costs_no_value<S: Kind>(server: S) {
    let store = server.store();
    let server = Rc::new(RefCell::new(server));
    let kills = {
        let server = Rc::clone(&server);
        store.cached("kills", None, move |n: u32| {
            server.borrow_mut().kill();
            AsyncTask::new(async move { n + 1 })
        })
    };
    let (kills, errors) = errors(kills);
    assert_eq!(kills.call(1), 2);
    let error = errors.take();
    assert!(error.starts_with(&format!("batch {}: key \"kills:1\": ", S::NAME)), "{error}");
    assert_eq!(error.lines().count(), 1);
}

fn a_value_may_be_forgotten<S: Kind>(server: S) {
    let log = Log::new();
    let square = square(&server.store(), &log);
    assert_eq!(square.call(7), 49);
    assert!(square.dirty(7).value().unwrap());
    assert!(!square.dirty(7).value().unwrap());
    assert_eq!(square.call(7), 49);
    assert_eq!(log.take(), "7\n7\n");
}

fn what_began_before_a_value_was_forgotten_is_not_kept<S: Kind>(server: S) {
    let store = server.store();
    let (promise, old) = promise::<u32>();
    let old = RefCell::new(Some(old));
    let value = store.cached("value", None, move |(): ()| {
        let old = old.take();
        AsyncTask::new(async move {
            match old {
                Some(old) => old.await,
                None => 2,
            }
        })
    });
    let calls = value.asynq(());
    let forgets = AsyncTask::new({
        let (store, value) = (store.clone(), value.clone());
        async move {
            // By then the call has looked for a value.
            store.get("a").await.unwrap();
            store.get("a").await.unwrap();
            value.dirty(()).await.unwrap();
            promise.set_value(1);
        }
    });
    assert_eq!(all((calls, forgets)).value().0, 1);
    assert_eq!(value.call(()), 2);
}

fn a_panic_is_that_of_the_caller<S: Kind>(server: S) {
    let broken: Cached<u32, u32> =
        server.store().cached("broken", None, |_| -> AsyncTask<u32> { panic!("broken") });
    assert_eq!(broken.asynq(1).outcome().unwrap_err().message(), "broken");
    common::assert_usable();
}

#[test]
#[should_panic(expected = "\"a b\" cannot be the prefix of a cache; use at most 125 bytes")]
fn a_prefix_without_spaces_is_asked_for() {
    let store = asynq::stores::Memcached::open(["127.0.0.1:11211"]);
    let _ = store.cached("a b", None, |n: u32| AsyncTask::new(async move { n }));
}

#[test]
#[should_panic(expected = "the ttl of a value must be more than zero, got 0ns")]
fn a_time_to_live_of_zero_is_refused() {
    let store = asynq::stores::Memcached::open(["127.0.0.1:11211"]);
    let _ = store.cached("a", Duration::ZERO, |n: u32| AsyncTask::new(async move { n }));
}
