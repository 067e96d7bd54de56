//! The store in memcached, with real servers. Behaviour that all key-value stores share is in
//! `stores_key_value.rs`.
#![cfg(target_os = "linux")]

use std::time::Duration;

use asynq::stores::{KeyValue, Memcached};
use asynq::{FutureBase, all, try_all};
use local_servers::installed;
use local_servers::memcached::MemcachedServer;
use memcache::exp::AsyncMetaClient;

fn server() -> Option<(MemcachedServer, Memcached)> {
    let server = installed(MemcachedServer::start())?;
    let memcached = Memcached::open([server.address()]);
    Some((server, memcached))
}

fn servers() -> Option<([MemcachedServer; 2], Memcached)> {
    let servers = [installed(MemcachedServer::start())?, installed(MemcachedServer::start())?];
    let memcached = Memcached::open(servers.each_ref().map(MemcachedServer::address));
    Some((servers, memcached))
}

fn refused(key: &str) -> String {
    format!(
        "batch memcached: key {key:?}: memcached takes keys of 1 to 250 bytes without spaces and \
         control characters; `cached` makes such keys of anything"
    )
}

#[test]
fn a_key_that_could_break_the_protocol_fails_alone() {
    let Some((server, memcached)) = server() else { return };
    let long = "x".repeat(251);
    for key in ["", "a b", "a\r\nflush_all", "\0", "\t", "\u{7f}", &long] {
        let operations = all((memcached.get(key), memcached.set(key, "1"), memcached.delete(key)));
        let ((get, set, delete), good) = all((operations, memcached.get("good"))).value();
        assert_eq!(get.unwrap_err().to_string(), refused(key));
        assert_eq!(set.unwrap_err().to_string(), refused(key));
        assert_eq!(delete.unwrap_err().to_string(), refused(key));
        assert_eq!(good.unwrap(), None);
    }
    assert!(server.commands("mg").iter().all(|command| command.starts_with("mg good ")));
    assert!(server.commands("ms").is_empty());
}

#[test]
fn a_key_may_be_long_and_have_bytes_of_utf_8() {
    let Some((_server, memcached)) = server() else { return };
    let keys = ["x".repeat(250), "käse".to_owned(), "日本".to_owned(), "!\"#~".to_owned()];
    try_all(keys.clone().map(|key| memcached.set(key.clone(), key))).value().unwrap();
    let values = try_all(keys.clone().map(|key| memcached.get(key))).value().unwrap();
    assert_eq!(values, keys.map(|key| Some(key.into_bytes())));
}

#[test]
fn a_value_that_is_too_large_fails_alone() {
    let Some((_server, memcached)) = server() else { return };
    let before = memcached.set("before", "1");
    let large = memcached.set("large", vec![0; 2_000_000]);
    let after = memcached.set("after", "1");
    let (before, large, after) = all((before, large, after)).value();
    before.unwrap();
    after.unwrap();
    let error = large.unwrap_err().to_string();
    assert!(error.starts_with("batch memcached: key \"large\": "), "{error}");
    assert!(error.ends_with("object too large for cache"), "{error}");
    assert_eq!(memcached.get("after").value().unwrap(), Some(b"1".to_vec()));
}

#[test]
fn a_time_to_live_is_rounded_up_to_seconds() {
    let Some((server, memcached)) = server() else { return };
    for millis in [1, 1000, 1001] {
        memcached.set_for("a", "1", Duration::from_millis(millis)).value().unwrap();
    }
    memcached.set("a", "1").value().unwrap();
    let times: Vec<_> = server
        .commands("ms")
        .into_iter()
        .map(|command| command.split(' ').nth(3).unwrap().to_owned())
        .collect();
    assert_eq!(times, ["T1", "T1", "T2", "T0"]);
}

#[test]
fn keys_are_spread_over_servers() {
    let Some((servers, memcached)) = servers() else { return };
    let keys: Vec<_> = (0..100).map(|n| format!("key:{n}")).collect();
    try_all(keys.iter().map(|key| memcached.set(&**key, &**key))).value().unwrap();
    let values = try_all(keys.iter().map(|key| memcached.get(&**key))).value().unwrap();
    assert!(values.into_iter().eq(keys.iter().map(|key| Some(key.clone().into_bytes()))));
    let [one, two] = servers.each_ref().map(|server| server.commands("mg").len());
    assert_eq!(one + two, 100);
    assert!(one > 20 && two > 20, "{one} and {two}");
}

#[test]
fn a_server_that_is_down_fails_its_own_keys() {
    let Some(([mut down, up], memcached)) = servers() else { return };
    let keys: Vec<_> = (0..100).map(|n| format!("key:{n}")).collect();
    try_all(keys.iter().map(|key| memcached.set(&**key, "1"))).value().unwrap();
    down.kill();
    let of_up = up.commands("ms").len();
    let found = all(keys.iter().map(|key| memcached.get(&**key))).value();
    assert_eq!(found.iter().filter(|value| value.is_ok()).count(), of_up);
    for (key, value) in keys.iter().zip(found) {
        if let Err(error) = value {
            let error = error.to_string();
            assert!(error.starts_with(&format!("batch memcached: key {key:?}: ")), "{error}");
        }
    }
    down.restart();
    try_all(keys.iter().map(|key| memcached.get(&**key))).value().unwrap();
}

#[test]
fn a_connection_is_kept() {
    let Some((server, memcached)) = server() else { return };
    for _ in 0..5 {
        memcached.get("a").value().unwrap();
    }
    let log = server.read_log();
    // One connection of the store, and one that showed that the server is ready.
    assert_eq!(log.matches("new auto-negotiating client connection").count(), 2, "{log}");
}

#[test]
fn a_client_of_ones_own_may_be_given() {
    let Some((server, memcached)) = server() else { return };
    memcached.set("a", "1").value().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(AsyncMetaClient::connect(server.address())).unwrap();
    assert_eq!(Memcached::from(client).get("a").value().unwrap(), Some(b"1".to_vec()));
}

#[test]
fn an_address_that_is_none_is_an_error() {
    for (address, expected) in
        [("localhost", "invalid socket address"), ("", "invalid socket address")]
    {
        let error = Memcached::open([address]).get("a").value().unwrap_err().to_string();
        assert_eq!(error, format!("batch memcached: key \"a\": i/o error: {expected}"));
    }
    let none = Memcached::open(Vec::<String>::new()).get("a").value().unwrap_err().to_string();
    assert!(none.ends_with("at least one server address is required"), "{none}");
}
