//! Loaders of rows of a PostgreSQL database, with a real server. What goes wrong with it is in
//! `stores_faults_postgres.rs`.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::ops::Deref;
use std::thread;

use asynq::stores::Postgres;
use asynq::{AsyncTask, FutureBase, Loader, all, with_context};

use crate::schema::Schema;

/// A schema of its own for one test.
struct Database {
    postgres: Postgres,
    schema: Schema,
}

impl Database {
    /// `None` if PostgreSQL is not installed.
    fn new(sql: &str) -> Option<Self> {
        let schema = Schema::new(sql)?;
        Some(Self { postgres: Postgres::open(&schema.config()).unwrap(), schema })
    }

    /// Artists with three of their albums.
    fn music() -> Option<Self> {
        Self::new(
            "CREATE TABLE artist (artist_id integer PRIMARY KEY, name text);
             INSERT INTO artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, NULL);
             CREATE TABLE album (title text, artist_id integer, year smallint);
             INSERT INTO album VALUES ('Powerage', 1, 1978), ('Breaker', 2, 1981),
                 ('Restless', 2, 1982), ('Accept', 2, 1979);",
        )
    }
}

impl Deref for Database {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        &self.postgres
    }
}

fn names(postgres: &Postgres) -> Loader<i32, Option<String>> {
    postgres.rows_by("artist", "artist_id").columns(["name"]).one(|row| row.try_get(0))
}

fn titles(postgres: &Postgres) -> Loader<i32, Vec<String>> {
    let albums = postgres.rows_by("album", "artist_id").columns(["title"]);
    albums.order_by("year").many(|row| row.try_get("title"))
}

#[test]
fn one_row_for_each_key_comes_with_one_statement() {
    let Some(music) = Database::music() else { return };
    let names = names(&music);
    let found = names.load_many([2, 1, 3, 1]).value().unwrap();
    assert_eq!(found, [Some("Accept".into()), Some("AC/DC".into()), None, Some("AC/DC".into())]);
    assert_eq!((names.stats().batches, names.stats().keys), (1, 3));
}

#[test]
fn a_key_without_a_row_is_missing() {
    let Some(music) = Database::music() else { return };
    let error = names(&music).load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch artist by artist_id: nothing came back for key 7");
}

#[test]
fn a_key_without_a_row_may_have_a_default() {
    let Some(music) = Database::music() else { return };
    let names = names(&music).default_with(|id| Some(format!("artist {id}")));
    assert_eq!(names.load(7).value().unwrap().as_deref(), Some("artist 7"));
}

#[test]
fn a_key_with_several_rows_is_not_one() {
    let Some(music) = Database::music() else { return };
    let album = music.rows_by("album", "artist_id").columns(["title"]);
    let album: Loader<i32, String> = album.one(|row| row.try_get(0));
    let (one, several) = all((album.load(1), album.load(2))).value();
    assert_eq!(one.unwrap(), "Powerage");
    assert_eq!(
        several.unwrap_err().to_string(),
        "batch album by artist_id: key 2: 3 rows have this key; `many` returns all of them"
    );
}

#[test]
fn all_rows_of_each_key_come_in_the_order_that_was_asked_for() {
    let Some(music) = Database::music() else { return };
    let titles = titles(&music);
    let [accept, none] = titles.load_many([2, 3]).value().unwrap().try_into().unwrap();
    assert_eq!(accept, ["Accept", "Breaker", "Restless"]);
    assert!(none.is_empty(), "a key without rows");
    assert_eq!(titles.stats().batches, 1);
}

#[test]
fn names_may_be_anything() {
    let Some(database) = Database::new(
        r#"CREATE TABLE "A ""Table"".x" ("the key'" integer, "Select" text, "-- ;" integer);
           INSERT INTO "A ""Table"".x" VALUES (1, 'second', 2), (1, 'first', 1);"#,
    ) else {
        return;
    };
    let rows = database.rows_by(r#"A "Table".x"#, "the key'").columns(["Select", "-- ;"]);
    let rows: Loader<i32, Vec<String>> = rows.order_by("-- ;").many(|row| row.try_get("Select"));
    assert_eq!(rows.load(1).value().unwrap(), ["first", "second"]);
}

#[test]
fn a_name_does_not_end_the_statement() {
    let Some(music) = Database::music() else { return };
    let album: Loader<i32, i32> =
        music.rows_by("album\"; DROP TABLE album; --", "artist_id").one(|row| row.try_get(0));
    assert!(album.load(1).value().is_err());
    assert_eq!(titles(&music).load(1).value().unwrap(), ["Powerage"]);
}

#[test]
fn the_table_may_be_in_a_schema() {
    let sql = r#"CREATE SCHEMA "a.b"; CREATE TABLE "a.b".t AS SELECT 1 AS k, 2 AS v;"#;
    let Some(database) = Database::new(sql) else { return };
    let value: Loader<i32, i32> =
        database.rows_by("t", "k").schema("a.b").columns(["v"]).one(|row| row.try_get(0));
    assert_eq!(value.load(1).value().unwrap(), 2);
    let error = value.load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch a.b.t by k: nothing came back for key 7");
}

#[test]
#[should_panic(
    expected = r#""name\0" cannot be the name of a table or column, since it contains a NUL"#
)]
fn a_name_with_a_nul_is_refused() {
    let postgres = Postgres::open("host=127.0.0.1").unwrap();
    let _ = postgres.rows_by("artist", "artist_id").columns(["name\0"]);
}

#[test]
fn keys_are_bound_and_not_read_as_sql() {
    let sql = "CREATE TABLE t (k text, v integer); INSERT INTO t VALUES ('a', 1);";
    let Some(database) = Database::new(sql) else { return };
    let value = database.rows_by("t", "k").columns(["v"]);
    let value: Loader<String, i32> = value.one(|row| row.try_get(0)).default_with(|_| 0);
    let keys = ["a", "' OR 1=1 --", "a'); DROP TABLE t; --", ""].map(str::to_owned);
    assert_eq!(value.load_many(keys).value().unwrap(), [1, 0, 0, 0]);
    assert_eq!(value.load("a".to_owned()).value().unwrap(), 1);
}

#[test]
fn keys_may_be_bytes() {
    let sql = "CREATE TABLE t (k bytea, v integer); INSERT INTO t VALUES ('\\x00ff', 1);";
    let Some(database) = Database::new(sql) else { return };
    let value: Loader<Vec<u8>, i32> =
        database.rows_by("t", "k").columns(["v"]).one(|row| row.try_get(0));
    assert_eq!(value.load(vec![0, 255]).value().unwrap(), 1);
}

#[test]
fn a_key_of_another_type_than_the_column_is_an_error_that_names_both() {
    let Some(music) = Database::music() else { return };
    let name: Loader<i64, String> =
        music.rows_by("artist", "artist_id").columns(["name"]).one(|row| row.try_get(0));
    let error = name.load(1).value().unwrap_err().to_string();
    assert!(error.contains("key 1") && error.contains("i64") && error.contains("int4"), "{error}");
}

#[test]
fn a_batch_may_have_more_keys_than_a_statement_parameters() {
    let sql = "CREATE TABLE t AS SELECT k, k * 2 AS v FROM generate_series(0, 99999) AS k;";
    let Some(database) = Database::new(sql) else { return };
    let value: Loader<i32, i32> =
        database.rows_by("t", "k").columns(["v"]).one(|row| row.try_get(0));
    let values = value.load_many(0..100_000).value().unwrap();
    assert!(values.into_iter().eq((0..100_000).map(|key| key * 2)));
    assert_eq!(value.stats().batches, 1);
}

#[test]
fn a_loader_of_rows_has_the_settings_of_any_other() {
    let Some(music) = Database::music() else { return };
    let names = names(&music).name("artist");
    let request = AsyncTask::new({
        let names = names.clone();
        async move {
            let twice = async { (names.load(1).await.unwrap(), names.load(1).await.unwrap()) };
            with_context(names.scope(), twice).await
        }
    });
    let (first, second) = request.value();
    assert_eq!(first, second);
    assert_eq!(names.stats().batches, 1);
    let error = names.load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch artist: nothing came back for key 7");
}

#[test]
fn a_loader_may_have_sql_of_ones_own() {
    let Some(music) = Database::music() else { return };
    let counts: Loader<i32, i64> = music.postgres.loader(|client, artists: Vec<i32>| {
        Box::pin(async move {
            let sql = "SELECT artist_id, count(*) FROM album WHERE artist_id = ANY($1) GROUP BY 1";
            let rows = client.query(&client.prepare_cached(sql).await?, &[&artists]).await?;
            let counts = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            counts.collect::<Result<HashMap<_, _>, tokio_postgres::Error>>()
        })
    });
    let counts = counts.default_with(|_| 0);
    assert_eq!(counts.load_many([2, 1, 7]).value().unwrap(), [3, 1, 0]);
    assert_eq!(counts.stats().batches, 1);
}

#[test]
fn sql_of_ones_own_that_fails_is_the_error_of_each_key() {
    let Some(music) = Database::music() else { return };
    let broken: Loader<i32, i32> = music.postgres.loader(|client, keys: Vec<i32>| {
        Box::pin(async move { client.batch_execute("SELECT nothing").await.map(|()| keys) })
    });
    let error = broken.name("broken").load(1).value().unwrap_err().to_string();
    assert!(error.starts_with("batch broken: key 1: db error"), "{error}");
    assert!(names(&music).load(1).value().unwrap().is_some());
}

#[test]
fn batches_of_several_loaders_overlap() {
    let sql = "CREATE FUNCTION waits() RETURNS integer LANGUAGE sql VOLATILE
                   AS 'SELECT pg_advisory_xact_lock_shared(1); SELECT 1';
               CREATE VIEW one AS SELECT 1 AS k, waits();
               CREATE VIEW two AS SELECT 1 AS k, waits();";
    let Some(database) = Database::new(sql) else { return };
    database.schema.server.begin("SELECT pg_advisory_lock(1), pg_sleep(1000)");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND";
    database.schema.server.wait_until(&format!("{locks} granted"), "1");
    let loader = |view| -> Loader<i32, i32> {
        database.rows_by(view, "k").columns(["waits"]).one(|row| row.try_get(0))
    };
    let (one, two) = (loader("one"), loader("two"));
    // The thread must not be the last that has the server, which would end with it.
    let server = &database.schema.server;
    thread::scope(|scope| {
        scope.spawn(|| {
            server.wait_until(&format!("{locks} NOT granted"), "2");
            server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted",
            );
        });
        let (one, two) = all((one.load(1), two.load(1))).value();
        assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    });
}

#[test]
fn any_thread_may_use_it() {
    let Some(music) = Database::music() else { return };
    let threads = (0..4).map(|_| {
        let postgres = music.postgres.clone();
        thread::spawn(move || names(&postgres).load(1).value().unwrap())
    });
    for thread in threads.collect::<Vec<_>>() {
        assert_eq!(thread.join().unwrap().as_deref(), Some("AC/DC"));
    }
}

#[test]
fn a_connection_outlives_the_thread_and_the_runtime_that_used_it_first() {
    let Some(music) = Database::music() else { return };
    let first = {
        let postgres = music.postgres.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { names(&postgres).load(1).await.unwrap() })
        })
    };
    assert!(first.join().unwrap().is_some());
    assert!(names(&music).load(2).value().unwrap().is_some());
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name =";
    assert_eq!(music.schema.server.run(&format!("{connections} '{}'", music.schema.name)), "1");
}

#[tokio::test]
async fn a_runtime_on_one_thread_may_await_it() {
    let Some(music) = Database::music() else { return };
    assert_eq!(names(&music).load(1).await.unwrap().as_deref(), Some("AC/DC"));
}

#[tokio::test]
async fn a_synchronous_call_may_block_a_runtime_on_one_thread() {
    let Some(music) = Database::music() else { return };
    assert_eq!(names(&music).load(1).value().unwrap().as_deref(), Some("AC/DC"));
}

#[test]
fn an_executor_that_is_not_tokio_may_await_it() {
    let Some(music) = Database::music() else { return };
    let name = futures::executor::block_on(names(&music).load(1));
    assert_eq!(name.unwrap().as_deref(), Some("AC/DC"));
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_requests_may_use_it() {
    let Some(music) = Database::music() else { return };
    let requests = (0..20).map(|_| {
        let postgres = music.postgres.clone();
        asynq::spawn_pinned(move || async move { names(&postgres).load(1).await.unwrap() })
    });
    for name in futures::future::join_all(requests).await {
        assert_eq!(name.unwrap().as_deref(), Some("AC/DC"));
    }
}

#[test]
fn a_text_that_is_no_connection_string_is_refused() {
    let error = Postgres::open("host=localhost colour=red").unwrap_err();
    assert_eq!(error.to_string(), "invalid connection string");
}
