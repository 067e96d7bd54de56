//! Behaviour that all key-value stores share, with real servers.
#![cfg(target_os = "linux")]
#![allow(clippy::needless_pass_by_value, reason = "a test owns its server")]

use std::collections::BTreeMap;
use std::time::Duration;

use asynq::stores::KeyValue;
use asynq::{AsyncTask, FutureBase, all, try_all};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::key_value::{Kind, for_each_kind};

for_each_kind! {
    a_value_is_there_until_it_is_deleted
    a_round_is_one_batch
    equal_gets_of_a_round_are_asked_once
    a_get_of_a_later_round_is_asked_again
    within_a_round_a_key_keeps_the_order_of_the_program
    gets_around_a_write_to_another_key_are_the_same
    a_write_that_nobody_awaits_goes_out_with_the_next_batch
    values_may_be_any_bytes
    values_may_be_json
    a_value_that_is_not_json_fails_alone
    a_value_that_cannot_be_json_is_not_sent
    a_value_may_have_a_time_to_live
    a_time_to_live_may_be_longer_than_all_dates
    a_round_may_be_large
    large_values_may_go_both_ways_in_a_round
    a_name_may_be_given
    stores_of_many_threads_share_a_server
    a_plain_call_works_in_a_current_thread_runtime
    an_executor_may_await_it
    random_programs_see_what_a_map_would_have
}

fn a_value_is_there_until_it_is_deleted<S: Kind>(server: S) {
    let store = server.store();
    assert_eq!(store.get("a").value().unwrap(), None);
    store.set("a", "1").value().unwrap();
    store.set("a", "2").value().unwrap();
    assert_eq!(store.get("a").value().unwrap(), Some(b"2".to_vec()));
    assert!(store.delete("a").value().unwrap());
    assert!(!store.delete("a").value().unwrap());
    assert_eq!(store.get("a").value().unwrap(), None);
}

fn a_round_is_one_batch<S: Kind>(server: S) {
    let store = server.store();
    let writes = all((1..=3).map(|n| store.set(format!("key {n}").replace(' ', ":"), "value")));
    let (writes, none, deleted) =
        all((writes, store.get("nothing"), store.delete("nothing"))).value();
    assert!(writes.into_iter().all(|write| write.is_ok()));
    assert_eq!((none.unwrap(), deleted.unwrap()), (None, false));
    assert_eq!((store.stats().batches, store.stats().keys), (1, 5));
}

fn equal_gets_of_a_round_are_asked_once<S: Kind>(server: S) {
    let store = server.store();
    store.set("a", "1").value().unwrap();
    let values = try_all(["a", "b", "a", "a"].map(|key| store.get(key))).value().unwrap();
    let one = || Some(b"1".to_vec());
    assert_eq!(values, [one(), None, one(), one()]);
    assert_eq!((store.stats().keys, store.stats().hits), (3, 2));
}

fn a_get_of_a_later_round_is_asked_again<S: Kind>(server: S) {
    let (store, other) = (server.store(), server.store());
    assert_eq!(store.get("a").value().unwrap(), None);
    other.set("a", "1").value().unwrap();
    assert_eq!(store.get("a").value().unwrap(), Some(b"1".to_vec()));
}

fn within_a_round_a_key_keeps_the_order_of_the_program<S: Kind>(server: S) {
    let store = server.store();
    let before = store.get("a");
    let one = store.set("a", "1");
    let (between, again) = (store.get("a"), store.get("a"));
    let gone = store.delete("a");
    let after = store.get("a");
    let two = store.set("a", "2");
    let last = store.get("a");
    let read = try_all([before, between, again, after, last]).value().unwrap();
    let some = |value: &str| Some(value.as_bytes().to_vec());
    assert_eq!(read, [None, some("1"), some("1"), None, some("2")]);
    try_all([one, two]).value().unwrap();
    assert!(gone.value().unwrap());
    assert_eq!(store.stats().batches, 1);
}

fn gets_around_a_write_to_another_key_are_the_same<S: Kind>(server: S) {
    let store = server.store();
    let (before, write, after) = (store.get("a"), store.set("b", "1"), store.get("a"));
    write.value().unwrap();
    assert_eq!(try_all([before, after]).value().unwrap(), [None, None]);
    assert_eq!(store.stats().keys, 2);
}

fn a_write_that_nobody_awaits_goes_out_with_the_next_batch<S: Kind>(server: S) {
    let store = server.store();
    drop(store.set("a", "1"));
    store.get("b").value().unwrap();
    assert_eq!(store.get("a").value().unwrap(), Some(b"1".to_vec()));
}

fn values_may_be_any_bytes<S: Kind>(server: S) {
    let store = server.store();
    let values = [b"".to_vec(), b"\r\nEND\r\n".to_vec(), (0..=255).collect(), vec![0; 500_000]];
    for value in values {
        store.set("a", value.clone()).value().unwrap();
        assert_eq!(store.get("a").value().unwrap(), Some(value));
    }
}

fn values_may_be_json<S: Kind>(server: S) {
    let store = server.store();
    store.set_json("a", &("Ann", [1, 2])).value().unwrap();
    store.set_json_for("b", &None::<u32>, Duration::from_secs(60)).value().unwrap();
    let a: Option<(String, Vec<u32>)> = store.get_json("a").value().unwrap();
    assert_eq!(a, Some(("Ann".to_owned(), vec![1, 2])));
    assert_eq!(store.get_json::<Option<u32>>("b").value().unwrap(), Some(None));
    assert_eq!(store.get_json::<u32>("c").value().unwrap(), None);
}

fn a_value_that_is_not_json_fails_alone<S: Kind>(server: S) {
    let store = server.store();
    store.set("a", "{").value().unwrap();
    store.set("b", "7").value().unwrap();
    let (a, b, bytes) =
        all((store.get_json::<u32>("a"), store.get_json::<u32>("b"), store.get("a"))).value();
    assert_eq!(b.unwrap(), Some(7));
    assert_eq!(bytes.unwrap(), Some(b"{".to_vec()));
    let expected = format!("batch {}: key \"a\": invalid type: map, expected u32 at", S::NAME);
    let error = a.unwrap_err().to_string();
    assert!(error.starts_with(&expected), "{error}");
}

fn a_value_that_cannot_be_json_is_not_sent<S: Kind>(server: S) {
    let store = server.store();
    let map = BTreeMap::from([((1, 2), 3)]);
    let (refused, set) = all((store.set_json("a", &map), store.set("b", "1"))).value();
    let expected = format!("batch {}: key \"a\": key must be a string", S::NAME);
    assert_eq!(refused.unwrap_err().to_string(), expected);
    set.unwrap();
    let only_refused = store.set_json("a", &map).value();
    assert_eq!(only_refused.unwrap_err().to_string(), expected);
    assert_eq!(store.get("a").value().unwrap(), None);
}

fn a_value_may_have_a_time_to_live<S: Kind>(server: S) {
    let store = server.store();
    store.set_for("a", "1", Duration::from_nanos(1)).value().unwrap();
    store.set_for("b", "1", Duration::from_secs(1000)).value().unwrap();
    while store.get("a").value().unwrap().is_some() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.get("b").value().unwrap(), Some(b"1".to_vec()));
}

fn a_time_to_live_may_be_longer_than_all_dates<S: Kind>(server: S) {
    let store = server.store();
    for days in [20, 40, 1000, 100_000_000] {
        store.set_for("a", "1", Duration::from_secs(days * 86400)).value().unwrap();
        assert_eq!(store.get("a").value().unwrap(), Some(b"1".to_vec()), "{days} days");
    }
    store.set_for("a", "1", Duration::MAX).value().unwrap();
    assert_eq!(store.get("a").value().unwrap(), Some(b"1".to_vec()));
}

fn a_round_may_be_large<S: Kind>(server: S) {
    let store = server.store();
    let key = |n: u32| format!("{n:0>200}");
    try_all((0..5000).map(|n| store.set(key(n), n.to_string()))).value().unwrap();
    let values = try_all((0..5000).map(|n| store.get(key(n)))).value().unwrap();
    assert!(values.into_iter().eq((0..5000).map(|n: u32| Some(n.to_string().into_bytes()))));
    assert_eq!(store.stats().batches, 2);
}

/// More than the buffers of a connection hold: who only writes, waits for ever.
fn large_values_may_go_both_ways_in_a_round<S: Kind>(server: S) {
    let store = server.store();
    let value = |n: u8| vec![n; 900_000];
    let key = |n: u8| format!("{n}");
    try_all((0..40).map(|n| store.set(key(n), value(n)))).value().unwrap();
    let (reads, writes): (Vec<_>, Vec<_>) =
        (0..40).map(|n| (store.get(key(n)), store.set(key(n), value(n + 1)))).unzip();
    let (read, _written) = try_all((try_all(reads), try_all(writes))).value().unwrap();
    assert!(read.into_iter().eq((0..40).map(|n| Some(value(n)))));
    for n in 0..40 {
        assert!(store.get(key(n)).value().unwrap() == Some(value(n + 1)));
    }
}

fn a_name_may_be_given<S: Kind>(server: S) {
    let store = server.store().name("sessions");
    store.set("a", "?").value().unwrap();
    let error = store.get_json::<u32>("a").value().unwrap_err();
    assert!(error.to_string().starts_with("batch sessions: key \"a\": expected value"), "{error}");
}

fn stores_of_many_threads_share_a_server<S: Kind>(server: S) {
    std::thread::scope(|scope| {
        for n in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let store = server.store();
                let keys: Vec<_> = (0..50).map(|key| format!("{n}:{key}")).collect();
                try_all(keys.iter().map(|key| store.set(&**key, &**key))).value().unwrap();
                let values = try_all(keys.iter().map(|key| store.get(&**key))).value().unwrap();
                assert!(values.into_iter().eq(keys.into_iter().map(|key| Some(key.into_bytes()))));
            });
        }
    });
}

fn a_plain_call_works_in_a_current_thread_runtime<S: Kind>(server: S) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = server.store();
        store.set("a", "1").value().unwrap();
        assert_eq!(store.get("a").value().unwrap(), Some(b"1".to_vec()));
    });
    // Its end is not that of the connections.
    drop(runtime);
    assert_eq!(server.store().get("a").value().unwrap(), Some(b"1".to_vec()));
}

fn an_executor_may_await_it<S: Kind>(server: S) {
    let store = server.store();
    futures::executor::block_on(async {
        store.set("a", "1").await.unwrap();
        let (a, b) = futures::join!(store.get("a"), store.get("b"));
        assert_eq!((a.unwrap(), b.unwrap()), (Some(b"1".to_vec()), None));
    });
    assert_eq!(store.stats().batches, 2);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Get(u8),
    Set(u8, u8),
    Delete(u8),
}

/// For each task, what it asks for at once, round after round.
type Program = Vec<Vec<Vec<Step>>>;

fn programs() -> impl Strategy<Value = Program> {
    let step = prop_oneof![
        (0..4_u8).prop_map(Step::Get),
        (0..4_u8, any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
        (0..4_u8).prop_map(Step::Delete),
    ];
    vec(vec(vec(step, 1..4), 0..5), 1..5)
}

/// Result of a step: the value, or after a delete whether there was one.
type Seen = Option<u8>;

fn run<K: KeyValue + Clone + 'static>(store: &K, program: &Program) -> Vec<Vec<Vec<Seen>>> {
    let tasks = program.iter().cloned().map(|rounds| {
        let store = store.clone();
        AsyncTask::new(async move {
            let mut seen = Vec::new();
            for steps in rounds {
                let asked = steps.into_iter().map(|step| ask(&store, step));
                seen.push(all(asked.collect::<Vec<_>>()).await);
            }
            seen
        })
    });
    all(tasks).value()
}

/// Starts a step. The key is requested before the task is awaited, as with a future of the store.
fn ask<K: KeyValue>(store: &K, step: Step) -> AsyncTask<Seen> {
    match step {
        Step::Get(key) => {
            let get = store.get([b'k', key + b'0']);
            AsyncTask::new(async move { get.await.unwrap().map(|value| value[0]) })
        }
        Step::Set(key, value) => {
            let set = store.set([b'k', key + b'0'], [value]);
            AsyncTask::new(async move { set.await.map(|()| None).unwrap() })
        }
        Step::Delete(key) => {
            let delete = store.delete([b'k', key + b'0']);
            AsyncTask::new(async move { delete.await.unwrap().then_some(1) })
        }
    }
}

/// Returns the results of a plain evaluation: round after round, all tasks at once.
fn model(program: &Program) -> Vec<Vec<Vec<Seen>>> {
    let mut map = BTreeMap::new();
    let mut seen = vec![Vec::new(); program.len()];
    for round in 0..program.iter().map(Vec::len).max().unwrap_or(0) {
        for (task, rounds) in program.iter().enumerate() {
            let Some(steps) = rounds.get(round) else { continue };
            let steps = steps.iter().map(|step| match *step {
                Step::Get(key) => map.get(&key).copied(),
                Step::Set(key, value) => {
                    map.insert(key, value);
                    None
                }
                Step::Delete(key) => map.remove(&key).map(|_| 1),
            });
            seen[task].push(steps.collect());
        }
    }
    seen
}

fn random_programs_see_what_a_map_would_have<S: Kind>(server: S) {
    let store = server.store();
    let mut runner = TestRunner::new(Config::with_cases(200));
    let checked = runner.run(&programs(), |program| {
        try_all((0..4).map(|key| store.delete([b'k', key + b'0']))).value().unwrap();
        prop_assert_eq!(run(&store, &program), model(&program));
        Ok(())
    });
    checked.unwrap();
}
