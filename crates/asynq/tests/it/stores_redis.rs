//! The store in Redis, with a real server. Behaviour that all key-value stores share is in
//! `stores_key_value.rs`.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::time::Duration;

use asynq::stores::{KeyValue, Redis};
use asynq::{AsyncTask, FutureBase, all, try_all};
use local_servers::installed;
use local_servers::redis::RedisServer;
use redis::{Value, cmd};

fn server() -> Option<(RedisServer, Redis)> {
    let server = installed(RedisServer::start())?;
    let redis = Redis::open(server.url()).unwrap();
    Some((server, redis))
}

#[test]
fn a_time_to_live_is_exact_to_the_millisecond() {
    let Some((server, redis)) = server() else { return };
    redis.set_for("a", "1", Duration::from_millis(1_500_001)).value().unwrap();
    let left: u64 = server.run(&["PTTL", "a"]).parse().unwrap();
    assert!((1_400_000..=1_500_001).contains(&left), "{left}");
    redis.set("a", "1").value().unwrap();
    assert_eq!(server.run(&["PTTL", "a"]), "-1");
}

#[test]
fn keys_may_be_any_bytes() {
    let Some((_server, redis)) = server() else { return };
    let keys = [b"".to_vec(), b"a b\r\nGET c\0".to_vec(), (0..=255).collect(), vec![0; 100_000]];
    try_all(keys.clone().map(|key| redis.set(key.clone(), key))).value().unwrap();
    let values = try_all(keys.clone().map(|key| redis.get(key))).value().unwrap();
    assert_eq!(values, keys.map(Some));
}

#[test]
fn fields_of_hashes_may_be_read_and_set() {
    let Some((_server, redis)) = server() else { return };
    let fresh = redis.hset("user:7", "name", "Ann");
    let changed = redis.hset("user:7", "name", "Bea");
    let (name, age) = (redis.hget("user:7", "name"), redis.hget("user:7", "age"));
    let found = try_all((fresh, changed, name, age)).value().unwrap();
    assert_eq!(found, (true, false, Some(b"Bea".to_vec()), None));
    assert_eq!(redis.stats().batches, 1);
}

#[test]
fn any_command_goes_with_the_others_in_their_order() {
    let Some((_server, redis)) = server() else { return };
    let before = redis.get("n");
    let incremented = redis.command::<u64>(cmd("INCRBY").arg("n").arg(7));
    let between = redis.get("n");
    let renamed = redis.command::<Value>(cmd("RENAME").arg("n").arg("m"));
    let (n, m) = (redis.get("n"), redis.get("m"));
    let (before, incremented, between, renamed, n, m) =
        try_all((before, incremented, between, renamed, n, m)).value().unwrap();
    let seven = Some(b"7".to_vec());
    assert_eq!((before, incremented, between.as_ref()), (None, 7, seven.as_ref()));
    assert_eq!((renamed, n, m), (Value::Okay, None, seven));
    assert_eq!(redis.stats().batches, 1);
}

#[test]
fn a_reply_may_be_of_any_type() {
    let Some((_server, redis)) = server() else { return };
    let set = redis.command::<()>(cmd("HSET").arg("a").arg("x").arg(1).arg("y").arg(2));
    let all_fields = redis.command::<HashMap<String, u32>>(cmd("HGETALL").arg("a"));
    let ((), fields) = try_all((set, all_fields)).value().unwrap();
    assert_eq!(fields, HashMap::from([("x".to_owned(), 1), ("y".to_owned(), 2)]));
}

#[test]
fn a_reply_of_another_type_is_an_error() {
    let Some((_server, redis)) = server() else { return };
    let (number, text) = all((
        redis.command::<u32>(cmd("ECHO").arg("hello")),
        redis.command::<String>(cmd("ECHO").arg("hello")),
    ))
    .value();
    assert_eq!(text.unwrap(), "hello");
    let error = number.unwrap_err().to_string();
    assert!(error.starts_with("batch redis: key \"ECHO hello\": "), "{error}");
}

#[test]
fn a_command_that_fails_fails_alone() {
    let Some((_server, redis)) = server() else { return };
    redis.hset("hash", "a", "1").value().unwrap();
    let wrong = redis.command::<u32>(cmd("INCR").arg("hash"));
    let unknown = redis.command::<()>(&cmd("NONSENSE"));
    let hget = redis.hget("text", "a");
    let set = redis.set("text", "1");
    let hget_of_text = redis.hget("text", "a");
    let (wrong, unknown, hget, set, hget_of_text) =
        all((wrong, unknown, hget, set, hget_of_text)).value();
    assert_eq!(hget.unwrap(), None);
    set.unwrap();
    for (error, expected) in [
        (wrong.unwrap_err(), "\"INCR hash\": \"WRONGTYPE\": "),
        (unknown.unwrap_err(), "\"NONSENSE\": ResponseError: unknown command"),
        (hget_of_text.unwrap_err(), "\"text\": \"WRONGTYPE\": "),
    ] {
        let error = error.to_string();
        assert!(error.starts_with(&format!("batch redis: key {expected}")), "{error}");
    }
}

#[test]
fn a_key_of_another_type_is_an_error_of_its_get() {
    let Some((_server, redis)) = server() else { return };
    let (_, a, c) = all((redis.hset("a", "b", "1"), redis.get("a"), redis.get("c"))).value();
    let error = a.unwrap_err().to_string();
    assert!(
        error.starts_with("batch redis: key \"a\": WrongType") || error.contains("WRONGTYPE"),
        "{error}"
    );
    assert_eq!(c.unwrap(), None);
}

#[test]
fn batches_of_several_stores_overlap() {
    let Some((server, redis)) = server() else { return };
    let other = Redis::open(server.url()).unwrap();
    let waits = redis.command::<(String, String)>(cmd("BLPOP").arg("queue").arg(0));
    let pushes = other.command::<u32>(cmd("RPUSH").arg("queue").arg("work"));
    let ((_, work), _) = try_all((waits, pushes)).value().unwrap();
    assert_eq!(work, "work");
}

#[test]
fn batches_of_one_store_take_turns() {
    let Some((server, redis)) = server() else { return };
    let other = Redis::open(server.url()).unwrap();
    // The first round waits, with a write after that; then the second round asks for a write, too.
    let first = all((
        redis.command::<Value>(cmd("BLPOP").arg("queue").arg(0)),
        redis.command::<Value>(cmd("APPEND").arg("text").arg("1")),
    ));
    let second = AsyncTask::new(async move {
        other.get("nothing").await.unwrap();
        let append = redis.command::<Value>(cmd("APPEND").arg("text").arg("2"));
        let wakes = AsyncTask::new(async move {
            for _ in 0..3 {
                other.get("nothing").await.unwrap();
            }
            other.command::<Value>(cmd("RPUSH").arg("queue").arg("go")).await.unwrap();
        });
        all((append, wakes)).await.0.unwrap();
    });
    let _ = all((first, second)).value();
    assert_eq!(server.run(&["GET", "text"]), "12");
}

#[test]
fn a_get_while_an_equal_one_is_in_flight_is_asked_again() {
    let Some((server, redis)) = server() else { return };
    let other = Redis::open(server.url()).unwrap();
    let waits = redis.command::<Value>(cmd("BLPOP").arg("queue").arg(0));
    let first = redis.get("a");
    let again = AsyncTask::new({
        let redis = redis.clone();
        async move {
            other.get("nothing").await.unwrap();
            let again = redis.get("a");
            let wakes = other.command::<Value>(cmd("RPUSH").arg("queue").arg("go"));
            all((again, wakes)).await.0.unwrap()
        }
    });
    let _ = all((waits, first, again)).value();
    assert_eq!((redis.stats().batches, redis.stats().keys, redis.stats().hits), (2, 3, 0));
}

#[test]
fn a_connection_is_kept() {
    let Some((server, redis)) = server() else { return };
    for _ in 0..5 {
        redis.get("a").value().unwrap();
    }
    let connections = server.run(&["INFO", "stats"]);
    let clients = server.run(&["CLIENT", "LIST"]);
    // Its own one, and that of redis-cli.
    assert_eq!(clients.lines().count(), 2, "{clients}{connections}");
    assert_eq!(redis.stats().batches, 5);
}

#[test]
fn a_batch_that_is_given_up_ends_its_connection() {
    let Some((server, redis)) = server() else { return };
    let redis = redis.timeout(Duration::from_millis(100));
    let pops = redis.command::<Value>(cmd("BLPOP").arg("queue").arg(0));
    assert_eq!(
        pops.value().unwrap_err().to_string(),
        "batch redis: key \"BLPOP queue\": no answer within 100ms"
    );
    server.wait_until(&["INFO", "clients"], "blocked_clients:0");
    assert_eq!(redis.timeout(Duration::MAX).get("a").value().unwrap(), None);
}

#[test]
fn a_client_of_ones_own_may_be_given() {
    let Some(server) = installed(RedisServer::start()) else { return };
    let client = redis::Client::open(format!("{}/3", server.url())).unwrap();
    Redis::from(client).set("a", "1").value().unwrap();
    assert_eq!(server.run(&["-n", "3", "GET", "a"]), "1");
}

#[test]
fn a_url_that_is_none_is_refused_at_once() {
    assert!(Redis::open("http://localhost").is_err());
}

#[test]
fn a_database_that_does_not_exist_is_an_error() {
    let Some(server) = installed(RedisServer::start()) else { return };
    let redis = Redis::open(format!("{}/1000", server.url())).unwrap();
    let error = redis.get("a").value().unwrap_err().to_string();
    assert!(error.starts_with("batch redis: key \"a\": "), "{error}");
    assert!(error.contains("DB index is out of range"), "{error}");
}

#[test]
fn a_wrong_password_is_an_error() {
    let Some((server, redis)) = server() else { return };
    redis.set("a", "1").value().unwrap();
    server.run(&["CONFIG", "SET", "requirepass", "secret"]);
    let url = |password| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let wrong = Redis::open(url("wrong")).unwrap().get("a").value().unwrap_err().to_string();
    assert!(wrong.starts_with("batch redis: key \"a\": "), "{wrong}");
    let value = Redis::open(url("secret")).unwrap().get("a").value().unwrap();
    assert_eq!(value, Some(b"1".to_vec()));
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_a_multi_thread_runtime_have_stores_of_their_own() {
    let Some(server) = installed(RedisServer::start()) else { return };
    let requests = (0..20).map(|n: u32| {
        let url = server.url();
        asynq::spawn_pinned(move || async move {
            let redis = Redis::open(url).unwrap();
            redis.set_json(format!("{n}"), &n).await.unwrap();
            redis.get_json::<u32>(format!("{n}")).await.unwrap()
        })
    });
    for (n, found) in (0..).zip(futures::future::join_all(requests).await) {
        assert_eq!(found.unwrap(), Some(n));
    }
}
