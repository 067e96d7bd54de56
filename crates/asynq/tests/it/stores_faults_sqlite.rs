//! Faults of an SQLite database: every load fails by name, and the next batch works.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use asynq::stores::Sqlite;
use asynq::{AsyncTask, FutureBase, Loader, all};
use futures::channel::oneshot;
use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

use crate::common::{assert_usable, later};

const TABLE: &str =
    "CREATE TABLE t (k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 10), (2, 20);";

/// A file for a database, that is not there yet.
struct File {
    path: PathBuf,
    _folder: TempDir,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("music.sqlite"), _folder: folder }
    }

    /// Writes `TABLE` into it.
    fn fill(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.execute_batch(TABLE).unwrap();
        connection
    }

    /// Connects to it, and waits no longer than so for others to unlock it.
    fn sqlite(&self, patience: Duration) -> Sqlite {
        let path = self.path.clone();
        Sqlite::open_with(move || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(patience)?;
            Ok(connection)
        })
    }
}

fn in_memory() -> Sqlite {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLE).unwrap();
    Sqlite::from(connection)
}

fn values(sqlite: &Sqlite) -> Loader<i64, i64> {
    sqlite.rows_by("t", "k").columns(["v"]).one(|row| row.get(0))
}

/// Why the loads of keys 1 and 2 failed, after the name of the loader and the key.
fn failures(values: &Loader<i64, i64>) -> [String; 2] {
    let errors = all([values.load(1), values.load(2)]).value().map(Result::unwrap_err);
    assert_usable();
    let [one, two] = errors.map(|error| error.to_string());
    let reason = |error: &str, name: &str| {
        error.strip_prefix(name).unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    [reason(&one, "batch t by k: key 1: "), reason(&two, "batch t by k: key 2: ")]
}

fn assert_works(values: &Loader<i64, i64>) {
    assert_eq!(values.load_many([1, 2]).value().unwrap(), [10, 20]);
}

#[test]
fn file_missing() {
    let file = File::new();
    let values = values(&Sqlite::open(&file.path));
    for reason in failures(&values) {
        let expected = format!("unable to open database file: {}", file.path.display());
        assert_eq!(reason, expected);
    }
    assert!(!file.path.exists(), "it is not made");
    file.fill();
    assert_works(&values);
}

#[test]
fn file_is_not_a_database() {
    let (file, good) = (File::new(), File::new());
    fs::write(&file.path, "This is a text. ".repeat(1000)).unwrap();
    let values = values(&Sqlite::open(&file.path));
    assert_eq!(failures(&values), ["file is not a database"; 2]);
    good.fill();
    fs::copy(&good.path, &file.path).unwrap();
    assert_works(&values);
}

#[test]
fn file_corrupted() {
    let (file, good) = (File::new(), File::new());
    good.fill();
    // The header and the schema are whole, the table is not.
    let mut bytes = fs::read(&good.path).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(&file.path, bytes).unwrap();
    let values = values(&Sqlite::open(&file.path));
    assert_eq!(failures(&values), ["database disk image is malformed"; 2]);
    fs::copy(&good.path, &file.path).unwrap();
    assert_works(&values);
}

#[test]
fn table_missing() {
    let file = File::new();
    let writer = Connection::open(&file.path).unwrap();
    writer.execute_batch("CREATE TABLE other (k)").unwrap();
    let values = values(&Sqlite::open(&file.path));
    for reason in failures(&values) {
        assert!(reason.starts_with("no such table: t"), "{reason}");
    }
    writer.execute_batch(TABLE).unwrap();
    assert_works(&values);
}

#[test]
fn database_locked() {
    let file = File::new();
    let writer = file.fill();
    let values = values(&file.sqlite(Duration::ZERO));
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(failures(&values), ["database is locked"; 2]);
    writer.execute_batch("COMMIT").unwrap();
    assert_works(&values);
}

#[test]
fn database_locked_for_longer_than_the_timeout_of_the_loader() {
    let file = File::new();
    let writer = file.fill();
    let values = values(&file.sqlite(Duration::from_secs(60))).timeout(Duration::from_millis(1));
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(failures(&values), ["no answer within 1ms"; 2]);
    writer.execute_batch("COMMIT").unwrap();
    assert_works(&values.timeout(Duration::MAX));
}

#[test]
fn value_that_does_not_decode() {
    let file = File::new();
    file.fill().execute_batch("UPDATE t SET v = 'ten' WHERE k = 1").unwrap();
    let values = values(&Sqlite::open(&file.path));
    let (ten, twenty) = all((values.load(1), values.load(2))).value();
    assert_eq!(twenty.unwrap(), 20);
    assert_eq!(
        ten.unwrap_err().to_string(),
        "batch t by k: key 1: Invalid column type Text at index: 0, name: v"
    );
}

#[test]
fn value_among_many_that_does_not_decode() {
    let file = File::new();
    let writer = file.fill();
    writer
        .execute_batch("CREATE TABLE n (k, v); INSERT INTO n VALUES (1, 1), (1, 'two'), (2, 3);")
        .unwrap();
    let sqlite = Sqlite::open(&file.path);
    let numbers: Loader<i64, Vec<i64>> =
        sqlite.rows_by("n", "k").columns(["v"]).many(|row| row.get(0));
    let (broken, whole) = all((numbers.load(1), numbers.load(2))).value();
    assert!(
        broken.unwrap_err().to_string().starts_with("batch n by k: key 1: Invalid column type")
    );
    assert_eq!(whole.unwrap(), [3]);
}

#[test]
fn function_of_a_row_that_panics() {
    let broken: Loader<i64, i64> = in_memory().rows_by("t", "k").one(|_| panic!("broken"));
    let error = AsyncTask::new(broken.load(1)).outcome().unwrap_err();
    assert_eq!(error.message(), "broken");
    assert_usable();
}

#[test]
fn function_of_a_row_that_panics_names_the_place_of_its_loader() {
    let rows = in_memory().rows_by("t", "k");
    let line = line!() + 1;
    let broken: Loader<i64, i64> = rows.one(|_| panic!("broken"));
    let error = AsyncTask::new(broken.load(1)).outcome().unwrap_err();
    let stack = error.stack().to_string();
    let place = format!("\n  batch function of t by k at {}:{line}:", file!());
    assert!(stack.contains(&place), "{stack}");
}

#[test]
fn function_of_a_row_that_panics_keeps_the_connection() {
    let sqlite = in_memory();
    let broken: Loader<i64, i64> = sqlite.rows_by("t", "k").one(|_| panic!("broken"));
    assert!(AsyncTask::new(broken.load(1)).outcome().is_err());
    assert_works(&values(&sqlite));
}

#[test]
fn connection_that_cannot_be_made() {
    let sqlite = Sqlite::open_with(|| {
        let code = rusqlite::ffi::Error { code: ErrorCode::CannotOpen, extended_code: 14 };
        Err(rusqlite::Error::SqliteFailure(code, Some("not today".into())))
    });
    assert_eq!(failures(&values(&sqlite)), ["not today"; 2]);
}

#[test]
fn caller_cancelled_in_flight() {
    let sqlite = in_memory();
    let (begun, begins) = oneshot::channel();
    let (begun, barrier) = (Mutex::new(Some(begun)), Arc::new(Barrier::new(2)));
    let slow: Loader<i64, i64> = sqlite.rows_by("t", "k").columns(["v"]).one({
        let barrier = Arc::clone(&barrier);
        move |row| {
            begun.lock().unwrap().take().expect("one row").send(()).unwrap();
            barrier.wait(); // until nobody waits for it any more
            row.get(0)
        }
    });
    let waits = AsyncTask::new(async move { slow.load(1).await.is_ok() });
    let cancels = {
        let waits = waits.clone();
        AsyncTask::new(async move {
            begins.await.unwrap();
            waits.cancel();
            barrier.wait();
        })
    };
    assert!(AsyncTask::new(all((waits, cancels))).outcome().is_err());
    assert_works(&values(&sqlite));
}

#[test]
fn caller_cancelled_while_the_connection_is_made() {
    let file = File::new();
    file.fill();
    for sqlite in [in_memory(), Sqlite::open(&file.path)] {
        let values = values(&sqlite);
        let waits = {
            let values = values.clone();
            AsyncTask::new(async move { values.load(1).await.is_ok() })
        };
        let cancels = {
            let waits = waits.clone();
            AsyncTask::new(async move {
                later(1).await;
                waits.cancel();
            })
        };
        let _ = AsyncTask::new(all((waits, cancels))).outcome();
        assert_works(&values);
    }
}
