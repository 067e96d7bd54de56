//! Faults of a node of a Redis cluster: every operation on its keys fails by name, operations on other nodes
//! succeed, and the next batch works once the node does.
#![cfg(target_os = "linux")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use asynq::stores::{KeyValue, Redis};
use asynq::{AsyncTask, FutureBase, LocalLoader, all};
use local_servers::installed;
use local_servers::redis::{RedisCluster, RedisServer};

use crate::common::assert_usable;

struct Cluster {
    servers: RedisCluster<3>,
    redis: Redis,
}

impl Cluster {
    fn start() -> Option<Self> {
        let servers = installed(RedisCluster::start())?;
        let redis = Redis::cluster(servers.urls()).unwrap();
        let cluster = Self { servers, redis };
        cluster.assert_works();
        Some(cluster)
    }

    /// The node of the key `a`. That of the key `b` is another one.
    fn node(&mut self) -> &mut RedisServer {
        assert_ne!(self.servers.node_of("a"), self.servers.node_of("b"));
        let place = self.servers.node_of("a");
        &mut self.servers.nodes()[place]
    }

    fn restart(&mut self) {
        self.node().restart();
        self.node().wait_until(&["CLUSTER", "INFO"], "cluster_state:ok");
    }

    fn assert_works(&self) {
        for key in ["a", "b"] {
            self.redis.set(key, "1").value().unwrap();
            assert_eq!(self.redis.get(key).value().unwrap(), Some(b"1".to_vec()));
        }
        assert_usable();
    }

    /// Shows that a key of the node fails by name, and a key of another node does not.
    fn assert_only_the_node_fails(&self) {
        let (a, b) = all((self.redis.get("a"), self.redis.get("b"))).value();
        let error = a.unwrap_err().to_string();
        assert!(error.starts_with("batch redis: key \"a\": "), "{error}");
        assert_eq!(b.unwrap(), Some(b"1".to_vec()));
        assert_usable();
    }
}

#[test]
fn node_killed_between_two_flushes() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.node().kill();
    cluster.assert_only_the_node_fails();
    cluster.restart();
    cluster.assert_works();
}

#[test]
fn node_restarted_between_two_flushes() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.node().kill();
    cluster.restart();
    cluster.assert_works();
}

#[test]
fn node_killed_during_a_flush() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.node().pause();
    let redis = cluster.redis.clone();
    let cluster = Rc::new(RefCell::new(cluster));
    let kills = {
        let cluster = Rc::clone(&cluster);
        LocalLoader::new(move |keys: Vec<()>| {
            cluster.borrow_mut().node().kill();
            keys
        })
    };
    let (a, b, killed) = all((redis.get("a"), redis.get("b"), kills.load(()))).value();
    killed.unwrap();
    let error = a.unwrap_err().to_string();
    assert!(error.starts_with("batch redis: key \"a\": "), "{error}");
    assert_eq!(b.unwrap(), Some(b"1".to_vec()));
    cluster.borrow_mut().restart();
    cluster.borrow().assert_works();
}

#[test]
fn node_paused_for_longer_than_the_timeout() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.node().pause();
    let redis = cluster.redis.clone().timeout(Duration::from_millis(100));
    let error = redis.get("a").value().unwrap_err().to_string();
    assert_eq!(error, "batch redis: key \"a\": no answer within 100ms");
    cluster.node().resume();
    cluster.redis = redis.timeout(Duration::MAX);
    cluster.node().wait_until(&["CLUSTER", "INFO"], "cluster_state:ok");
    cluster.assert_works();
}

#[test]
fn all_nodes_killed() {
    let Some(mut cluster) = Cluster::start() else { return };
    for node in cluster.servers.nodes() {
        node.kill();
    }
    for key in ["a", "b"] {
        let error = cluster.redis.get(key).value().unwrap_err().to_string();
        assert!(error.starts_with(&format!("batch redis: key {key:?}: ")), "{error}");
    }
    for node in cluster.servers.nodes() {
        node.restart();
    }
    for node in cluster.servers.nodes() {
        node.wait_until(&["CLUSTER", "INFO"], "cluster_state:ok");
    }
    cluster.assert_works();
}

#[test]
fn caller_cancelled_in_flight() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.node().pause();
    let waits = AsyncTask::new(cluster.redis.get("a"));
    let cancelled = Cell::new(Some(waits.clone()));
    let cancels = LocalLoader::new(move |keys: Vec<()>| {
        cancelled.take().expect("asked once").cancel();
        keys
    });
    assert!(AsyncTask::new(all((waits, cancels.load(())))).outcome().is_err());
    cluster.node().resume();
    cluster.node().wait_until(&["CLUSTER", "INFO"], "cluster_state:ok");
    cluster.assert_works();
}
