//! Rows of an SQLite database.

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use blocking::unblock;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolBuilder, PoolError, RecycleResult};
use rusqlite::types::{FromSql, ToSqlOutput, Value};
use rusqlite::vtab::array;
use rusqlite::{Connection, Error, OpenFlags, Row, ToSql};

use super::rows_by::RowsBy;
use super::rows_by_key::{Found, Gather};
use crate::batch::BoxError;
use crate::loader::{Key, Loader};

/// An SQLite database.
///
/// A batch is one statement, which a thread of a pool runs: tasks go on meanwhile, and batches of
/// several loaders overlap; but see [`blocking`](Self::blocking). For that the database has a pool of
/// connections, at most two for each core and opened as they are needed. A connection runs one statement
/// at a time. One that failed is replaced.
///
/// ```
/// use asynq::stores::Sqlite;
/// use asynq::{FutureBase, Loader};
/// use rusqlite::Connection;
///
/// let connection = Connection::open_in_memory()?;
/// connection.execute_batch(
///     "CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT, ArtistId INTEGER);
///      INSERT INTO Album VALUES (1, 'For Those About To Rock', 1), (4, 'Let There Be Rock', 1);",
/// )?;
/// let sqlite = Sqlite::from(connection);
///
/// let title: Loader<i64, String> =
///     sqlite.rows_by("Album", "AlbumId").columns(["Title"]).one(|row| row.get(0));
/// assert_eq!(title.load(4).value().unwrap(), "Let There Be Rock");
/// let error = title.load(7).value().unwrap_err();
/// assert_eq!(error.to_string(), "batch Album by AlbumId: nothing came back for key 7");
///
/// let albums: Loader<i64, Vec<(i64, String)>> = sqlite
///     .rows_by("Album", "ArtistId")
///     .columns(["AlbumId", "Title"])
///     .order_by("Title")
///     .many(|row| Ok((row.get("AlbumId")?, row.get("Title")?)));
/// assert_eq!(albums.load(1).value().unwrap().len(), 2);
/// assert_eq!(albums.load(7).value().unwrap(), []);
/// # Ok::<(), rusqlite::Error>(())
/// ```
#[derive(Clone)]
pub struct Sqlite {
    connections: Pool<Connections>,
    blocking: bool,
}

impl Sqlite {
    /// The database in the file at `path`, or at a URI (`file:…`). The file is not looked for before
    /// the first batch, and never made.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self::open_with(move || {
            let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
            Connection::open_with_flags(&path, flags)
        })
    }

    /// The database to which `open` connects, as often as there are batches at the same time.
    pub fn open_with(
        open: impl Fn() -> rusqlite::Result<Connection> + Send + Sync + 'static,
    ) -> Self {
        Self::pool(Pool::builder(Connections::Opened(Arc::new(open))))
    }

    fn pool(builder: PoolBuilder<Connections>) -> Self {
        let connections = builder.build().expect("without timeouts, which need a runtime");
        Self { connections, blocking: true }
    }

    /// With `false`, statements run on the thread that asks: where the file is in memory already, the
    /// hand-over to another thread takes longer than a small statement. Then nothing overlaps with
    /// them, and no [`timeout`](Loader::timeout) ends the wait for one. By default it is `true`.
    #[must_use]
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// The rows of `table` by what they have in `column`.
    ///
    /// # Panics
    ///
    /// If there is a NUL in a name.
    #[track_caller]
    pub fn rows_by(&self, table: &str, column: &str) -> RowsBy<Self> {
        RowsBy::new(self.clone(), table, column)
    }
}

/// The database of one connection, for one in memory, or with functions of its own. Its batches take
/// turns. It is never replaced.
impl From<Connection> for Sqlite {
    fn from(connection: Connection) -> Self {
        Self::pool(Pool::builder(Connections::Own(Mutex::new(Some(connection)))).max_size(1))
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, blocking } = self;
        let mut sqlite = f.debug_struct("Sqlite");
        sqlite.field("connections", &connections.status()).field("blocking", blocking).finish()
    }
}

/// Where the connections of a pool come from.
enum Connections {
    /// This opens them.
    Opened(Arc<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>),
    /// It was given, and the pool, which is one of one, never loses it.
    Own(Mutex<Option<Connection>>),
}

impl Manager for Connections {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> rusqlite::Result<Connection> {
        match self {
            Self::Opened(open) => {
                let open = Arc::clone(open);
                unblock(move || open().and_then(prepared)).await
            }
            // At once, so that it cannot be given up half-way.
            Self::Own(own) => {
                let own = own.lock().unwrap_or_else(PoisonError::into_inner).take();
                prepared(own.expect("a pool of one asks once"))
            }
        }
    }

    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        Ok(())
    }
}

/// A connection that knows `rarray`.
fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    array::load_module(&connection)?;
    Ok(connection)
}

/// After a failure: another connection may do better, as where the file was replaced.
fn discard(connection: Object<Connections>) {
    let pool = Object::pool(&connection);
    if pool.is_some_and(|pool| matches!(pool.manager(), Connections::Opened(_))) {
        drop(Object::take(connection));
    }
}

/// # Loaders of SQLite's rows
///
/// `map` makes a value of a row, which has the chosen [`columns`](Self::columns). It runs on another
/// thread, unless the database does not [block](Sqlite::blocking). If it fails, so does the load of that key.
///
/// Keys have the type of the column, and are stored as they are asked for: a row that SQLite finds in
/// a column `COLLATE NOCASE` by a key in another case is an error. A batch may have any number of
/// keys; limit it with [`max_batch_size`](Loader::max_batch_size) where its rows would be too many.
impl RowsBy<Sqlite> {
    /// A loader of the one row that has the key. A key without a row fails with
    /// [`LoadError::Missing`](crate::loader::LoadError::Missing), unless there is a
    /// [`default`](Loader::default_with); a key with several rows fails.
    #[must_use]
    pub fn one<K, T>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
    ) -> Loader<K, T>
    where
        K: Key + Send + ToSql + FromSql,
        T: Clone + Send + 'static,
    {
        self.loader(map, Found::one)
    }

    /// A loader of all the rows that have the key, none or several.
    #[must_use]
    pub fn many<K, T>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
    ) -> Loader<K, Vec<T>>
    where
        K: Key + Send + ToSql + FromSql,
        T: Clone + Send + 'static,
    {
        self.loader(map, Found::many).default_with(|_| Vec::new())
    }

    fn loader<K, T, V>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
        gather: Gather<K, T, Error, V>,
    ) -> Loader<K, V>
    where
        K: Key + Send + ToSql + FromSql,
        T: Send + 'static,
        V: Clone + 'static,
    {
        let name = self.name();
        // The keys are one parameter: so there may be any number of them, and the statement is the
        // same for each, and can be kept.
        let select = Arc::new(Select { sql: self.sql("IN rarray(?1)"), map });
        let Sqlite { connections, blocking } = self.store;
        Loader::try_new(move |keys: Vec<K>| {
            let (connections, select) = (connections.clone(), Arc::clone(&select));
            async move {
                let connection = connections.get().await.map_err(|error| match error {
                    PoolError::Backend(error) => error.into(),
                    error => BoxError::from(error),
                })?;
                let run =
                    move || select.run(&connection, &keys).inspect_err(|_| discard(connection));
                let found = if blocking { unblock(run).await } else { run() };
                found.map(gather)
            }
        })
        .name(&name)
    }
}

/// A statement, and what becomes of its rows.
struct Select<F> {
    sql: String,
    map: F,
}

impl<F> Select<F> {
    fn run<K, T>(&self, connection: &Connection, keys: &[K]) -> Result<Found<K, T, Error>, BoxError>
    where
        K: Key + ToSql + FromSql,
        F: Fn(&Row<'_>) -> rusqlite::Result<T>,
    {
        let mut found = Found::nothing(keys);
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            match value(key) {
                Ok(value) => values.push(value),
                Err(error) => found.add(key, Err(error))?,
            }
        }
        let mut statement = connection.prepare_cached(&self.sql)?;
        let key = statement.column_count() - 1;
        let mut rows = statement.query([Rc::new(values)])?;
        while let Some(row) = rows.next()? {
            found.add(&row.get(key)?, (self.map)(row))?;
        }
        Ok(found)
    }
}

/// What a key is for SQLite.
fn value(key: &impl ToSql) -> rusqlite::Result<Value> {
    match key.to_sql()? {
        ToSqlOutput::Owned(value) => Ok(value),
        ToSqlOutput::Borrowed(value) => Ok(value.try_into()?),
        _ => {
            Err(Error::ToSqlConversionFailure("a key has to be a number, a text or a blob".into()))
        }
    }
}
