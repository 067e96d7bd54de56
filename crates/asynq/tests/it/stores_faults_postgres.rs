//! Faults of a PostgreSQL database: every load fails by name, and the next batch works once the server
//! does.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::Duration;

use asynq::stores::Postgres;
use asynq::{AsyncTask, FutureBase, Loader, all};
use deadpool_postgres::{Manager, Pool};
use futures::channel::oneshot;
use local_servers::installed;
use local_servers::postgres::PostgresServer;
use tokio_postgres::NoTls;

use crate::common::assert_usable;
use crate::schema::{self, Schema};

/// `slow` has the rows of `t`, each after a quarter of an hour.
const TABLES: &str = "
    CREATE TABLE t (k integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 10), (2, 20);
    CREATE VIEW slow AS SELECT k, v, pg_sleep(1000)::text FROM t;";

/// Counts the queries of `slow` that are in progress.
const SLOW: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

fn server() -> Option<PostgresServer> {
    let server = installed(PostgresServer::start())?;
    server.run(TABLES);
    Some(server)
}

fn postgres(config: &str) -> Postgres {
    Postgres::open(config).unwrap()
}

/// Creates a store with a pool of one connection.
fn postgres_of_one(config: &str) -> Postgres {
    let manager = Manager::new(config.parse().unwrap(), NoTls);
    Postgres::from(Pool::builder(manager).max_size(1).build().unwrap())
}

fn values(postgres: &Postgres) -> Loader<i32, i32> {
    postgres.rows_by("t", "k").columns(["v"]).one(|row| row.try_get(0))
}

fn slow(postgres: &Postgres) -> Loader<i32, i32> {
    postgres
        .rows_by("slow", "k")
        .columns(["v", "pg_sleep"])
        .one(|row| row.try_get(0))
        .name("t by k")
}

/// Returns the reason for which the loads of keys 1 and 2 failed, the same for both.
fn failure(values: &Loader<i32, i32>) -> String {
    let [one, two] = all([values.load(1), values.load(2)]).value().map(Result::unwrap_err);
    assert_usable();
    let (one, two) = (one.to_string(), two.to_string());
    let reason = one.strip_prefix("batch t by k: key 1: ").unwrap_or_else(|| panic!("{one}"));
    assert_eq!(two, format!("batch t by k: key 2: {reason}"));
    reason.to_owned()
}

fn assert_works(values: &Loader<i32, i32>) {
    assert_eq!(values.load_many([1, 2]).value().unwrap(), [10, 20]);
}

#[test]
fn connection_refused() {
    let Some(mut server) = server() else { return };
    server.kill();
    let values = values(&postgres(&server.config()));
    let refused = "error connecting to server: Connection refused (os error 111)";
    assert_eq!(failure(&values), refused);
    assert_eq!(failure(&values), refused);
    server.restart();
    assert_works(&values);
}

#[test]
fn server_killed_between_two_flushes() {
    let Some(mut server) = server() else { return };
    let values = values(&postgres(&server.config()));
    assert_works(&values);
    server.kill();
    failure(&values);
    server.restart();
    assert_works(&values);
}

#[test]
fn server_restarted_between_two_flushes() {
    let Some(mut server) = server() else { return };
    let values = values(&postgres(&server.config()));
    assert_works(&values);
    server.kill();
    server.restart();
    assert_works(&values);
}

#[test]
fn server_killed_during_a_flush() {
    let Some(mut server) = server() else { return };
    let postgres = postgres_of_one(&server.config());
    let kills = thread::spawn(move || {
        server.wait_until(SLOW, "1");
        server.kill();
        server
    });
    failure(&slow(&postgres));
    let mut server = kills.join().unwrap();
    server.restart();
    assert_works(&values(&postgres));
}

#[test]
fn connection_ended_by_the_server_during_a_flush() {
    let Some(server) = server() else { return };
    let postgres = postgres_of_one(&server.config());
    let ends = thread::spawn(move || {
        server.wait_until(SLOW, "1");
        server.run(&SLOW.replace("count(*)", "pg_terminate_backend(pid)"));
        server
    });
    let reason = failure(&slow(&postgres));
    assert_eq!(reason, "db error: FATAL: terminating connection due to administrator command");
    let _server = ends.join().unwrap();
    assert_works(&values(&postgres));
}

#[test]
fn statement_that_takes_too_long_for_the_server() {
    let Some(schema) = Schema::new(TABLES) else { return };
    let config = schema.config().replace("-c", "-c statement_timeout=100 -c");
    let postgres = postgres_of_one(&config);
    let reason = failure(&slow(&postgres));
    assert_eq!(reason, "db error: ERROR: canceling statement due to statement timeout");
    assert_works(&values(&postgres));
}

#[test]
fn server_paused_for_longer_than_the_timeout() {
    let Some(server) = server() else { return };
    let values = values(&postgres_of_one(&server.config()));
    assert_works(&values);
    server.pause();
    let values = values.timeout(Duration::from_millis(100));
    assert_eq!(failure(&values), "no answer within 100ms");
    server.resume();
    assert_works(&values.timeout(Duration::MAX));
}

#[test]
fn server_paused_before_anybody_connects() {
    let Some(server) = server() else { return };
    let values = values(&postgres_of_one(&server.config())).timeout(Duration::from_millis(100));
    server.pause();
    assert_eq!(failure(&values), "no answer within 100ms");
    server.resume();
    assert_works(&values.timeout(Duration::MAX));
}

#[test]
fn server_killed_while_it_was_paused() {
    let Some(mut server) = server() else { return };
    let values = values(&postgres_of_one(&server.config()));
    assert_works(&values);
    server.pause();
    let kills = thread::spawn(move || {
        server.kill();
        server
    });
    failure(&values);
    let mut server = kills.join().unwrap();
    server.restart();
    assert_works(&values);
}

#[test]
fn caller_cancelled_in_flight() {
    let Some(server) = server() else { return };
    let postgres = postgres_of_one(&server.config());
    let waits = {
        let slow = slow(&postgres);
        AsyncTask::new(async move { slow.load(1).await.is_ok() })
    };
    let (begun, begins) = oneshot::channel();
    let watches = thread::spawn(move || {
        server.wait_until(SLOW, "1");
        begun.send(()).unwrap();
        server
    });
    let cancels = {
        let waits = waits.clone();
        AsyncTask::new(async move {
            begins.await.unwrap();
            waits.cancel();
        })
    };
    assert!(AsyncTask::new(all((waits, cancels))).outcome().is_err());
    let _server = watches.join().unwrap();
    // The only connection is busy, but it is not that of the pool any more.
    assert_works(&values(&postgres));
}

#[test]
fn database_that_does_not_exist() {
    let Some(server) = schema::shared_server() else { return };
    let postgres =
        Postgres::open(&server.config().replace("dbname=postgres", "dbname=music")).unwrap();
    let reason = failure(&values(&postgres));
    assert_eq!(reason, "db error: FATAL: database \"music\" does not exist");
}

#[test]
fn table_missing() {
    let Some(schema) = Schema::new("") else { return };
    let values = values(&postgres_of_one(&schema.config()));
    assert_eq!(failure(&values), "db error: ERROR: relation \"t\" does not exist");
    schema.run(TABLES);
    assert_works(&values);
}

#[test]
fn table_changed_after_a_flush() {
    let Some(schema) = Schema::new(TABLES) else { return };
    let values = values(&postgres_of_one(&schema.config()));
    assert_works(&values);
    schema.run("DROP VIEW slow; ALTER TABLE t ALTER COLUMN v TYPE bigint");
    assert_eq!(failure(&values), "db error: ERROR: cached plan must not change result type");
    schema.run("ALTER TABLE t ALTER COLUMN v TYPE integer");
    assert_works(&values);
}

#[test]
fn value_that_does_not_decode() {
    let Some(schema) = Schema::new(TABLES) else { return };
    schema.run("UPDATE t SET v = NULL WHERE k = 1");
    let values = values(&postgres(&schema.config()));
    let (nothing, twenty) = all((values.load(1), values.load(2))).value();
    assert_eq!(twenty.unwrap(), 20);
    assert_eq!(
        nothing.unwrap_err().to_string(),
        "batch t by k: key 1: error deserializing column 0: a Postgres value was `NULL`"
    );
}

#[test]
fn value_of_another_type() {
    let Some(schema) = Schema::new(TABLES) else { return };
    let texts: Loader<i32, String> =
        postgres(&schema.config()).rows_by("t", "k").columns(["v"]).one(|row| row.try_get(0));
    let error = texts.load(1).value().unwrap_err().to_string();
    assert!(error.starts_with("batch t by k: key 1: error deserializing column 0: "), "{error}");
}

#[test]
fn function_of_a_row_that_panics() {
    let Some(schema) = Schema::new(TABLES) else { return };
    let postgres = postgres_of_one(&schema.config());
    let broken: Loader<i32, i32> = postgres.rows_by("t", "k").one(|_| panic!("broken"));
    let error = AsyncTask::new(broken.load(1)).outcome().unwrap_err();
    assert_eq!(error.message(), "broken");
    assert_usable();
    assert_works(&values(&postgres));
}
