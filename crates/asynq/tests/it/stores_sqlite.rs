//! Loaders of rows of an SQLite database. What goes wrong with it is in `stores_faults_sqlite.rs`.

use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use asynq::stores::Sqlite;
use asynq::{AsyncTask, FutureBase, Loader, all, with_context};
use proptest::prelude::*;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, ToSql};

const CHINOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/chinook.sqlite");

/// A database in memory.
fn database(sql: &str) -> Sqlite {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(sql).unwrap();
    Sqlite::from(connection)
}

/// Artists with three of their albums.
fn music() -> Sqlite {
    database(
        "CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT);
         INSERT INTO Artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, NULL);
         CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT, ArtistId INTEGER, Year INTEGER);
         INSERT INTO Album VALUES (1, 'Powerage', 1, 1978), (2, 'Breaker', 2, 1981),
             (3, 'Restless', 2, 1982), (4, 'Accept', 2, 1979);",
    )
}

fn names(sqlite: &Sqlite) -> Loader<i64, Option<String>> {
    sqlite.rows_by("Artist", "ArtistId").columns(["Name"]).one(|row| row.get(0))
}

fn titles(sqlite: &Sqlite) -> Loader<i64, Vec<String>> {
    let albums = sqlite.rows_by("Album", "ArtistId").columns(["Title"]);
    albums.order_by("Year").many(|row| row.get("Title"))
}

#[test]
fn one_row_for_each_key_comes_with_one_statement() {
    let names = names(&music());
    let found = names.load_many([2, 1, 3, 1]).value().unwrap();
    assert_eq!(found, [Some("Accept".into()), Some("AC/DC".into()), None, Some("AC/DC".into())]);
    assert_eq!((names.stats().batches, names.stats().keys), (1, 3));
}

#[test]
fn a_key_without_a_row_is_missing() {
    let error = names(&music()).load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch Artist by ArtistId: nothing came back for key 7");
}

#[test]
fn a_key_without_a_row_may_have_a_default() {
    let names = names(&music()).default_with(|id| Some(format!("artist {id}")));
    assert_eq!(names.load(7).value().unwrap().as_deref(), Some("artist 7"));
}

#[test]
fn a_key_with_several_rows_is_not_one() {
    let album = music().rows_by("Album", "ArtistId").columns(["Title"]);
    let album: Loader<i64, String> = album.one(|row| row.get(0));
    let (one, several) = all((album.load(1), album.load(2))).value();
    assert_eq!(one.unwrap(), "Powerage");
    assert_eq!(
        several.unwrap_err().to_string(),
        "batch Album by ArtistId: key 2: 3 rows have this key; `many` returns all of them"
    );
}

#[test]
fn all_rows_of_each_key_come_in_the_order_that_was_asked_for() {
    let titles = titles(&music());
    let [accept, none] = titles.load_many([2, 3]).value().unwrap().try_into().unwrap();
    assert_eq!(accept, ["Accept", "Breaker", "Restless"]);
    assert!(none.is_empty(), "a key without rows");
    assert_eq!(titles.stats().batches, 1);
}

#[test]
fn a_further_order_counts_where_the_first_is_equal() {
    let sqlite =
        database("CREATE TABLE t (k, a, b); INSERT INTO t VALUES (1,2,1), (1,1,3), (1,1,2);");
    let rows = sqlite.rows_by("t", "k").columns(["a", "b"]).order_by("a").order_by("b");
    let rows: Loader<i64, Vec<(i64, i64)>> = rows.many(|row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(rows.load(1).value().unwrap(), [(1, 2), (1, 3), (2, 1)]);
}

#[test]
fn a_row_need_not_have_columns() {
    let exists: Loader<i64, ()> = music().rows_by("Artist", "ArtistId").one(|_| Ok(()));
    let exists = exists.load_many([1, 2]).value();
    assert_eq!(exists.unwrap(), [(), ()]);
}

#[test]
fn names_may_be_anything() {
    let sqlite = database(
        r#"CREATE TABLE "a ""table"".x" ("the key'" INTEGER, "select" TEXT, "-- ;" INTEGER);
           INSERT INTO "a ""table"".x" VALUES (1, 'second', 2), (1, 'first', 1);"#,
    );
    let rows = sqlite.rows_by(r#"a "table".x"#, "the key'").columns(["select", "-- ;"]);
    let rows: Loader<i64, Vec<String>> = rows.order_by("-- ;").many(|row| row.get("select"));
    assert_eq!(rows.load(1).value().unwrap(), ["first", "second"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_names_and_keys_arrive_as_they_are(
        table in "[^\0]{0,12}", column in "[^\0]{0,12}", key in "[^\0]{0,12}",
    ) {
        // Apart from one another, and from SQLite's own tables.
        let (table, by, column) = (format!("t{table}"), format!("k{column}"), format!("v{column}"));
        let connection = Connection::open_in_memory().unwrap();
        let create = "SELECT printf('CREATE TABLE \"%w\" (\"%w\" TEXT, \"%w\" INTEGER);
            INSERT INTO \"%w\" VALUES (%Q, 7)', ?1, ?2, ?3, ?1, ?4)";
        let parameters = [&table, &by, &column, &key];
        let create: String = connection.query_row(create, parameters, |row| row.get(0)).unwrap();
        connection.execute_batch(&create).unwrap();
        let value = Sqlite::from(connection).rows_by(&table, &by).columns([column.as_str()]);
        let value: Loader<String, i64> = value.order_by(&column).one(|row| row.get(0));
        prop_assert_eq!(value.load(key).value().unwrap(), 7);
    }
}

#[test]
fn a_name_does_not_end_the_statement() {
    let sqlite = music();
    let album: Loader<i64, i64> =
        sqlite.rows_by("Album\"; DROP TABLE Album; --", "AlbumId").one(|row| row.get(0));
    assert!(album.load(1).value().is_err());
    assert_eq!(titles(&sqlite).load(1).value().unwrap(), ["Powerage"]);
}

#[test]
fn the_table_may_be_in_a_schema() {
    let sqlite = database(
        "ATTACH ':memory:' AS \"a.b\"; CREATE TABLE \"a.b\".t (k, v); INSERT INTO \"a.b\".t VALUES (1, 2);",
    );
    let value: Loader<i64, i64> =
        sqlite.rows_by("t", "k").schema("a.b").columns(["v"]).one(|row| row.get(0));
    assert_eq!(value.load(1).value().unwrap(), 2);
    let error = value.load(7).value().unwrap_err();
    assert_eq!(error.to_string(), "batch a.b.t by k: nothing came back for key 7");
}

#[test]
#[should_panic(
    expected = r#""Artist\0" cannot be the name of a table or column, since it contains a NUL"#
)]
fn a_name_with_a_nul_is_refused() {
    let _ = music().rows_by("Artist\0", "ArtistId");
}

#[test]
fn a_column_that_is_not_there_is_an_error_and_not_its_name() {
    let nme: Loader<i64, String> =
        music().rows_by("Artist", "ArtistId").columns(["Nme"]).one(|row| row.get(0));
    let error = nme.load(1).value().unwrap_err().to_string();
    assert!(error.starts_with("batch Artist by ArtistId: key 1: no such column: t.Nme"), "{error}");
}

#[test]
fn keys_are_bound_and_not_read_as_sql() {
    let sqlite = database("CREATE TABLE t (k TEXT, v INTEGER); INSERT INTO t VALUES ('a', 1);");
    let value = sqlite.rows_by("t", "k").columns(["v"]);
    let value: Loader<String, i64> = value.one(|row| row.get(0)).default_with(|_| 0);
    let keys = ["a", "' OR 1=1 --", "a'); DROP TABLE t; --", ""].map(str::to_owned);
    assert_eq!(value.load_many(keys).value().unwrap(), [1, 0, 0, 0]);
    assert_eq!(value.load("a".to_owned()).value().unwrap(), 1);
}

#[test]
fn keys_may_be_blobs() {
    let sqlite = database("CREATE TABLE t (k BLOB, v INTEGER); INSERT INTO t VALUES (x'00ff', 1);");
    let value = sqlite.rows_by("t", "k").columns(["v"]);
    let value: Loader<Vec<u8>, i64> = value.one(|row| row.get(0));
    assert_eq!(value.load(vec![0, 255]).value().unwrap(), 1);
}

/// A key that refuses to be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id(i64);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let negative = || rusqlite::Error::ToSqlConversionFailure("negative".into());
        u32::try_from(self.0).map(ToSqlOutput::from).map_err(|_| negative())
    }
}

#[test]
fn a_key_that_cannot_be_bound_fails_alone() {
    let sqlite = music();
    let name = sqlite.rows_by("Artist", "ArtistId").columns(["Name"]);
    let name: Loader<Id, String> = name.one(|row| row.get(0));
    let (one, negative) = all((name.load(Id(1)), name.load(Id(-1)))).value();
    assert_eq!(one.unwrap(), "AC/DC");
    let error = negative.unwrap_err();
    assert_eq!(error.to_string(), "batch Artist by ArtistId: key Id(-1): negative");
}

#[test]
fn a_key_of_nothing_has_no_rows() {
    let titles: Loader<Option<i64>, Vec<String>> =
        database("CREATE TABLE t (k, v); INSERT INTO t VALUES (NULL, 'nobody'), (1, 'somebody');")
            .rows_by("t", "k")
            .columns(["v"])
            .many(|row| row.get(0));
    let found = titles.load_many([None, Some(1)]).value().unwrap();
    assert_eq!(found, [vec![], vec!["somebody".to_owned()]]);
}

#[test]
fn a_batch_may_have_more_keys_than_a_statement_parameters() {
    // Without an index, so that keys have to be looked up for rows.
    let sqlite = database(
        "CREATE TABLE t (k INTEGER, v INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
         INSERT INTO t SELECT i, i * 2 FROM n;",
    );
    let value: Loader<i64, i64> = sqlite.rows_by("t", "k").columns(["v"]).one(|row| row.get(0));
    let values = value.load_many(0..100_000).value().unwrap();
    assert!(values.into_iter().eq((0..100_000).map(|key| key * 2)));
    assert_eq!(value.stats().batches, 1);
}

#[test]
fn a_batch_of_keys_of_several_columns_may_be_large() {
    let sqlite = database(
        "CREATE TABLE t (a INTEGER, b INTEGER, v INTEGER, PRIMARY KEY (a, b));
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
         INSERT INTO t SELECT i, i % 7, i * 2 FROM n;",
    );
    let value: Loader<(i64, i64), i64> =
        sqlite.rows_by("t", ["a", "b"]).columns(["v"]).one(|row| row.get(0));
    let values = value.load_many((0..100_000).map(|key| (key, key % 7))).value().unwrap();
    assert!(values.into_iter().eq((0..100_000).map(|key| key * 2)));
    assert_eq!(value.stats().batches, 1);
}

/// Returns the plan of the statement that finds the rows of `key`.
fn plan(table: &str, key: &str) -> String {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(table).unwrap();
    let (tell, statements) = mpsc::channel();
    let trace = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            tell.send(statement.sql().into_owned()).unwrap();
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace)).unwrap();
    let sqlite = Sqlite::from(connection);
    let rows: Loader<String, Vec<i64>> =
        sqlite.rows_by("t", "k").columns(["v"]).many(|row| row.get(0));
    rows.load(key.to_owned()).value().unwrap();
    let statement = statements.try_iter().last().unwrap();
    let explain: Loader<String, String> = sqlite.loader(|connection, statements: Vec<String>| {
        let explain = |sql: &String| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let steps = explain.query_map([Rc::new(Vec::<Value>::new())], |row| row.get(3))?;
            Ok(steps.collect::<rusqlite::Result<Vec<String>>>()?.join("; "))
        };
        statements.iter().map(explain).collect::<rusqlite::Result<Vec<_>>>()
    });
    explain.load(statement).value().unwrap()
}

#[test]
fn keys_are_looked_up_in_the_index_of_their_column() {
    let table = "CREATE TABLE t (k TEXT COLLATE NOCASE, v); CREATE INDEX by_k ON t (k);";
    let plan = plan(table, "ann");
    assert!(plan.ends_with("SEARCH t USING INDEX by_k (k=?)"), "{plan}");
}

#[test]
fn keys_of_another_type_are_looked_up_in_the_index_of_their_column() {
    let plan = plan("CREATE TABLE t (k INTEGER PRIMARY KEY, v);", "1");
    assert!(plan.ends_with("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
}

#[test]
fn a_smaller_batch_may_be_asked_for() {
    let names = names(&music()).max_batch_size(2);
    assert_eq!(names.load_many([1, 2, 3]).value().unwrap().len(), 3);
    assert_eq!((names.stats().batches, names.stats().largest), (2, 2));
}

#[test]
fn a_loader_of_rows_has_the_settings_of_any_other() {
    let names = names(&music()).name("artist");
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
    let titles: Loader<i64, i64> = music().loader(|connection, artists: Vec<i64>| {
        let mut count = connection.prepare("SELECT count(*) FROM Album WHERE ArtistId = ?1")?;
        let counts = artists.iter().map(|artist| count.query_row([artist], |row| row.get(0)));
        counts.collect::<rusqlite::Result<Vec<_>>>()
    });
    assert_eq!(titles.load_many([2, 1, 3]).value().unwrap(), [3, 1, 0]);
    assert_eq!(titles.stats().batches, 1);
}

#[test]
fn sql_of_ones_own_that_fails_is_the_error_of_each_key() {
    let titles: Loader<i64, i64> = music()
        .loader(|connection, keys: Vec<i64>| connection.execute_batch("nothing").map(|()| keys))
        .name("titles");
    let error = titles.load(1).value().unwrap_err().to_string();
    assert!(error.starts_with("batch titles: key 1: near \"nothing\": syntax error"), "{error}");
}

#[test]
fn batches_of_several_loaders_overlap() {
    // Each waits for the other one, in a thread of its own.
    let barrier = Arc::new(Barrier::new(2));
    let sqlite = Sqlite::open(CHINOOK);
    let threads = |table, key| -> Loader<i64, thread::ThreadId> {
        let barrier = Arc::clone(&barrier);
        sqlite.rows_by(table, key).one(move |_| {
            barrier.wait();
            Ok(thread::current().id())
        })
    };
    let (one, two) = (threads("Artist", "ArtistId"), threads("Album", "AlbumId"));
    let (one, two) = all((one.load(1), two.load(1))).value();
    assert_ne!(one.unwrap(), two.unwrap());
}

#[test]
fn a_database_that_does_not_block_is_asked_on_the_thread_of_the_loader() {
    let sqlite = Sqlite::open(CHINOOK).blocking(false);
    let thread = sqlite.rows_by("Artist", "ArtistId").one(|_| Ok(thread::current().id()));
    assert_eq!(thread.load(1_i64).value().unwrap(), thread::current().id());
}

#[test]
fn batches_of_a_single_connection_take_turns() {
    let sqlite = music();
    let (names, titles) = (names(&sqlite), titles(&sqlite));
    let (name, titles) = all((names.load(1), titles.load(2))).value();
    assert_eq!(name.unwrap().as_deref(), Some("AC/DC"));
    assert_eq!(titles.unwrap().len(), 3);
}

#[test]
fn what_a_batch_finds_is_what_is_there_when_it_goes_out() {
    let uri = "file:what_a_batch_finds?mode=memory&cache=shared";
    let writer = Connection::open(uri).unwrap();
    writer.execute_batch("CREATE TABLE t (k, v); INSERT INTO t VALUES (1, 'old')").unwrap();
    let sqlite = Sqlite::open(uri);
    let value: Loader<i64, String> = sqlite.rows_by("t", "k").columns(["v"]).one(|row| row.get(0));
    assert_eq!(value.load(1).value().unwrap(), "old");
    writer.execute_batch("UPDATE t SET v = 'new'").unwrap();
    assert_eq!(value.load(1).value().unwrap(), "new");
}

#[test]
fn a_table_may_change_between_batches() {
    let uri = "file:a_table_may_change?mode=memory&cache=shared";
    let writer = Connection::open(uri).unwrap();
    writer.execute_batch("CREATE TABLE t (k, v); INSERT INTO t VALUES (1, 2)").unwrap();
    let value: Loader<i64, i64> =
        Sqlite::open(uri).rows_by("t", "k").columns(["v"]).one(|row| row.get(0));
    assert_eq!(value.load(1).value().unwrap(), 2);
    writer
        .execute_batch("DROP TABLE t; CREATE TABLE t (a, v, k); INSERT INTO t VALUES (0, 3, 1)")
        .unwrap();
    assert_eq!(value.load(1).value().unwrap(), 3);
}

#[tokio::test]
async fn any_executor_may_await_it() {
    let names = names(&music());
    assert_eq!(names.load(1).await.unwrap().as_deref(), Some("AC/DC"));
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_may_share_a_database() {
    let sqlite = Sqlite::open(CHINOOK);
    let requests = (1..=20).map(|id| {
        let sqlite = sqlite.clone();
        asynq::spawn_pinned(move || async move { names(&sqlite).load(id).await.unwrap() })
    });
    for name in futures::future::join_all(requests).await {
        assert!(name.unwrap().is_some());
    }
}
