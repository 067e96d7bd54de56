//! The store in a Redis cluster, with real nodes. Behaviour that all key-value stores share is in
//! `stores_key_value.rs`.
#![cfg(target_os = "linux")]

use asynq::stores::{KeyValue, Redis};
use asynq::{FutureBase, all, try_all};
use local_servers::installed;
use local_servers::redis::RedisCluster;
use redis::{Value, cmd};

fn cluster() -> Option<(RedisCluster<3>, Redis)> {
    let cluster = installed(RedisCluster::start())?;
    let redis = Redis::cluster(cluster.urls()).unwrap();
    Some((cluster, redis))
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn keys_of_all_nodes_are_answered_in_one_batch() {
    let Some((_cluster, redis)) = cluster() else { return };
    let keys = (0..100).map(|n| n.to_string());
    try_all(keys.clone().map(|key| redis.set(key.clone(), key))).value().unwrap();
    let values = try_all(keys.clone().map(|key| redis.get(key))).value().unwrap();
    assert_eq!(values, keys.map(|key| Some(bytes(&key))).collect::<Vec<_>>());
    assert_eq!(redis.stats().batches, 2);
}

#[test]
fn operations_with_one_key_keep_their_order() {
    let Some((_cluster, redis)) = cluster() else { return };
    let rounds = ["a", "b", "c"].map(|key| {
        let increment = || redis.command_of::<u64>(key, cmd("INCR").arg(key));
        (redis.get(key), redis.set(key, "1"), increment(), redis.get(key), redis.delete(key))
    });
    for (before, set, incremented, after, deleted) in rounds {
        let found = try_all((before, set, incremented, after, deleted)).value().unwrap();
        assert_eq!(found, (None, (), 2, Some(bytes("2")), true));
    }
    assert_eq!(redis.stats().batches, 1);
}

#[test]
fn fields_of_hashes_may_be_read_and_set() {
    let Some((_cluster, redis)) = cluster() else { return };
    let fresh = redis.hset("user:7", "name", "Ann");
    let changed = redis.hset("user:7", "name", "Bea");
    let found = try_all((fresh, changed, redis.hget("user:7", "name"))).value().unwrap();
    assert_eq!(found, (true, false, Some(bytes("Bea"))));
}

#[test]
fn a_command_of_any_keys_comes_between_those_before_and_after_it() {
    let Some((_cluster, redis)) = cluster() else { return };
    let before = try_all(["a", "b", "c"].map(|key| redis.set(key, "1")));
    let size = redis.command::<u64>(&cmd("DBSIZE"));
    let flushed = redis.command::<Value>(&cmd("FLUSHALL"));
    let after = try_all(["a", "b", "c"].map(|key| redis.get(key)));
    let (_, size, flushed, after) = try_all((before, size, flushed, after)).value().unwrap();
    assert_eq!((size, flushed), (3, Value::Okay));
    assert_eq!(after, [None, None, None]);
}

#[test]
fn a_command_that_fails_fails_alone() {
    let Some((_cluster, redis)) = cluster() else { return };
    redis.set("a", "text").value().unwrap();
    let increment = redis.command_of::<u64>("a", cmd("INCR").arg("a"));
    let (increment, get) = all((increment, redis.get("a"))).value();
    let error = increment.unwrap_err().to_string();
    assert!(error.starts_with("batch redis: key \"a\": "), "{error}");
    assert_eq!(get.unwrap(), Some(bytes("text")));
}

#[test]
fn a_slot_is_found_where_it_has_moved() {
    let Some((mut cluster, redis)) = cluster() else { return };
    redis.set("a", "1").value().unwrap();
    redis.delete("a").value().unwrap();
    let (from, to) = (cluster.node_of("a"), (cluster.node_of("a") + 1) % 3);
    let slot = cluster.nodes()[from].run(&["CLUSTER", "KEYSLOT", "a"]);
    let [id_from, id_to] = [from, to].map(|node| cluster.nodes()[node].run(&["CLUSTER", "MYID"]));
    // A node that imports a slot gets the highest epoch with it. Otherwise a heartbeat of the other
    // node, which has the slot until it is told, may take it back.
    for (node, state, id) in [
        (to, "IMPORTING", &id_from),
        (from, "MIGRATING", &id_to),
        (to, "NODE", &id_to),
        (from, "NODE", &id_to),
    ] {
        cluster.nodes()[node].run(&["CLUSTER", "SETSLOT", &slot, state, id]);
    }
    let (set, get) = try_all((redis.set("a", "2"), redis.get("a"))).value().unwrap();
    assert_eq!((set, get), ((), Some(bytes("2"))));
    assert_eq!(cluster.nodes()[to].run(&["GET", "a"]), "2");
}

#[test]
fn a_client_of_ones_own_may_be_given() {
    let Some((cluster, _)) = cluster() else { return };
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    Redis::from(client).set("a", "1").value().unwrap();
}

#[test]
fn a_url_that_is_none_is_refused_at_once() {
    assert!(Redis::cluster(["http://localhost"]).is_err());
}
