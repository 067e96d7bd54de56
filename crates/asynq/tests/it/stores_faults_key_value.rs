//! Faults of a key-value store: every operation fails by name, and the next batch works once the server
//! does.
#![cfg(target_os = "linux")]
#![allow(clippy::needless_pass_by_value, reason = "a test owns its server")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use asynq::loader::LocalLoad;
use asynq::stores::KeyValue;
use asynq::{AsyncTask, BatchError, FutureBase, LocalLoader, all};

use crate::common::assert_usable;
use crate::key_value::{Kind, for_each_kind};

for_each_kind! {
    connection_refused
    server_killed_between_two_flushes
    server_restarted_between_two_flushes
    server_killed_during_a_flush
    server_paused_for_longer_than_the_timeout
    server_paused_before_anybody_connects
    caller_cancelled_in_flight
    one_of_two_callers_cancelled_in_flight
    value_that_does_not_decode
}

/// Why the operations of a round failed; `meanwhile` is done when they are on their way.
fn failure<S: Kind>(store: &S::Store, meanwhile: impl FnOnce() + 'static) -> String {
    let operations = all((store.get("a"), store.set("b", "1"), store.delete("c")));
    let ((get, set, delete), _) = all((operations, once_sent(meanwhile))).value();
    assert_usable();
    let reason = |key: &str, error: BatchError| {
        let error = error.to_string();
        let reason = error.strip_prefix(&format!("batch {}: key {key:?}: ", S::NAME));
        reason.unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    reason("b", set.unwrap_err());
    reason("c", delete.unwrap_err());
    reason("a", get.unwrap_err())
}

/// Does something when the batch that was opened before it is on its way.
fn once_sent(act: impl FnOnce() + 'static) -> LocalLoad<(), ()> {
    let act = Cell::new(Some(act));
    let acts = LocalLoader::new(move |keys: Vec<()>| {
        act.take().expect("asked once")();
        keys
    });
    acts.load(())
}

fn assert_works(store: &impl KeyValue) {
    let (set, get, delete) = all((store.set("a", "1"), store.get("a"), store.delete("a"))).value();
    set.unwrap();
    assert_eq!(get.unwrap(), Some(b"1".to_vec()));
    assert!(delete.unwrap());
}

fn connection_refused<S: Kind>(mut server: S) {
    let store = server.store();
    server.kill();
    for _ in 0..2 {
        let reason = failure::<S>(&store, || ());
        assert!(reason.ends_with("Connection refused (os error 111)"), "{reason}");
    }
    server.restart();
    assert_works(&store);
}

fn server_killed_between_two_flushes<S: Kind>(mut server: S) {
    let store = server.store();
    assert_works(&store);
    server.kill();
    failure::<S>(&store, || ());
    server.restart();
    assert_works(&store);
}

fn server_restarted_between_two_flushes<S: Kind>(mut server: S) {
    let store = server.store();
    assert_works(&store);
    server.kill();
    server.restart();
    assert_works(&store);
}

fn server_killed_during_a_flush<S: Kind>(server: S) {
    let store = server.store();
    assert_works(&store);
    server.pause();
    let server = Rc::new(RefCell::new(server));
    failure::<S>(&store, {
        let server = Rc::clone(&server);
        move || server.borrow_mut().kill()
    });
    server.borrow_mut().restart();
    assert_works(&store);
}

fn server_paused_for_longer_than_the_timeout<S: Kind>(server: S) {
    let store = server.store();
    assert_works(&store);
    server.pause();
    let store = store.timeout(Duration::from_millis(100));
    assert_eq!(failure::<S>(&store, || ()), "no answer within 100ms");
    assert_eq!(failure::<S>(&store, || ()), "no answer within 100ms");
    server.resume();
    assert_works(&store.timeout(Duration::MAX));
}

fn server_paused_before_anybody_connects<S: Kind>(server: S) {
    let store = server.store().timeout(Duration::from_millis(100));
    server.pause();
    assert_eq!(failure::<S>(&store, || ()), "no answer within 100ms");
    server.resume();
    assert_works(&store.timeout(Duration::MAX));
}

fn caller_cancelled_in_flight<S: Kind>(server: S) {
    let store = server.store();
    assert_works(&store);
    server.pause();
    let get = store.get("a");
    let waits = AsyncTask::new(async move { get.await.is_ok() });
    let cancels = waits.clone();
    let cancels = once_sent(move || cancels.cancel());
    assert!(AsyncTask::new(all((waits, cancels))).outcome().is_err());
    server.resume();
    assert_works(&store);
}

fn one_of_two_callers_cancelled_in_flight<S: Kind>(server: S) {
    let store = server.store();
    assert_works(&store);
    server.pause();
    let (given_up, goes_on) = (store.get("a"), store.get("a"));
    let given_up = AsyncTask::new(async move { given_up.await.is_ok() });
    let server = Rc::new(server);
    let act = once_sent({
        let (given_up, server) = (given_up.clone(), Rc::clone(&server));
        move || {
            given_up.cancel();
            server.resume();
        }
    });
    let goes_on = AsyncTask::new(async move { all((goes_on, act)).await.0 });
    assert!(AsyncTask::new(all((given_up, goes_on.clone()))).outcome().is_err());
    assert_eq!(goes_on.value().unwrap(), None);
}

fn value_that_does_not_decode<S: Kind>(server: S) {
    let store = server.store();
    store.set("a", b"\xff{").value().unwrap();
    let (number, bytes) = all((store.get_json::<u32>("a"), store.get("a"))).value();
    let error = number.unwrap_err().to_string();
    assert!(error.starts_with(&format!("batch {}: key \"a\": ", S::NAME)), "{error}");
    assert_eq!(bytes.unwrap(), Some(b"\xff{".to_vec()));
    assert_works(&store);
}
