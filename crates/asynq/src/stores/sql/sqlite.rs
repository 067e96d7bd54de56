//! Loaders of rows of SQLite.

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolBuilder, PoolError, RecycleResult};
use rusqlite::vtab::array;
use rusqlite::{Connection, Error, OpenFlags, Row, ToSql};

use super::key_columns::KeyColumns;
use super::rows_by::{RowsBy, sealed};
use super::rows_by_key::{Collect, RowsByKey};
use super::sqlite_key::SqliteKey;
use crate::batch::BoxError;
use crate::loader::{Answer, Key, Loader};
use crate::worker::unblock;

/// SQLite database.
///
/// A batch is one statement, which runs on a worker thread: tasks run meanwhile, and batches of several
/// loaders overlap (see [`blocking`](Self::blocking)). The database has a pool of connections, which it
/// opens as needed, at most two per core. A connection runs one statement at a time, and is replaced
/// after a failure.
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
    /// Uses the database in the file at `path`, or at a URI (`file:…`). The first batch opens the file,
    /// which must exist.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self::open_with(move || {
            let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
            Connection::open_with_flags(&path, flags)
        })
    }

    /// Uses the database that `open` connects to. It is called for each connection of the pool.
    pub fn open_with(
        open: impl Fn() -> rusqlite::Result<Connection> + Send + Sync + 'static,
    ) -> Self {
        Self::pool(Pool::builder(Connections::Opened(Arc::new(open))))
    }

    fn pool(builder: PoolBuilder<Connections>) -> Self {
        let connections = builder.build().expect("without timeouts, which need a runtime");
        Self { connections, blocking: true }
    }

    /// Sets whether statements block, and run on a worker thread (the default). With `false`, they run on
    /// the thread of the tasks: if the file is cached in memory, passing a small statement to another
    /// thread takes longer than running it. Statements then do not overlap with anything, and
    /// [`timeout`](Loader::timeout) cannot interrupt them.
    #[must_use]
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// Describes the rows of `table` by the value of `column`, or by the values of an array of columns.
    ///
    /// # Panics
    ///
    /// If a name contains a NUL, or the array is empty.
    #[track_caller]
    pub fn rows_by<C: KeyColumns>(&self, table: &str, column: C) -> RowsBy<Self, C::Kind> {
        RowsBy::new(self.clone(), table, column)
    }

    /// Creates a loader by a `function` with SQL of your own. It gets a connection, which nobody else uses
    /// meanwhile, and the keys of a batch, and runs on a worker thread, unless the database does not
    /// [block](Self::blocking). If it fails, each load of the batch fails.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use asynq::stores::Sqlite;
    /// use asynq::{FutureBase, Loader};
    /// use rusqlite::Connection;
    ///
    /// let connection = Connection::open_in_memory()?;
    /// connection.execute_batch("CREATE TABLE Track (Id, AlbumId); INSERT INTO Track VALUES (1, 4), (2, 4);")?;
    /// let sqlite = Sqlite::from(connection);
    /// let tracks: Loader<i64, i64> = sqlite.loader(|connection, albums: Vec<i64>| {
    ///     let mut count = connection.prepare_cached("SELECT count(*) FROM Track WHERE AlbumId = ?1")?;
    ///     albums.iter().map(|album| count.query_row([album], |row| row.get(0))).collect::<Result<Vec<_>, _>>()
    /// });
    /// assert_eq!(tracks.load_many([4, 7]).value().unwrap(), [2, 0]);
    /// # Ok::<(), rusqlite::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn loader<K, V, A, E>(
        &self,
        function: impl Fn(&Connection, Vec<K>) -> Result<A, E> + Send + Sync + 'static,
    ) -> Loader<K, V>
    where
        K: Key + Send + Sync,
        V: Clone + Send + 'static,
        A: Answer<K, Value = V> + Send + 'static,
        E: Into<BoxError>,
    {
        let Self { connections, blocking } = self.clone();
        let function = Arc::new(function);
        Loader::new(move |keys: Vec<K>| {
            let function = Arc::clone(&function);
            run(connections.clone(), blocking, move |connection| {
                function(connection, keys).map_err(Into::into)
            })
        })
    }
}

/// Uses one connection, for a database in memory, or with application-defined functions. Its batches run
/// one at a time, and it is never replaced.
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

/// Source of the connections of a pool.
enum Connections {
    /// Opens connections.
    Opened(Arc<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>),
    /// One connection, which a pool of size one never drops.
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
            // Without waiting, so that it cannot be cancelled half-way.
            Self::Own(own) => {
                let own = own.lock().unwrap_or_else(PoisonError::into_inner).take();
                prepared(own.expect("a pool of size one creates one connection"))
            }
        }
    }

    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        Ok(())
    }
}

/// Runs `work` with a connection.
async fn run<T: Send + 'static>(
    connections: Pool<Connections>,
    blocking: bool,
    work: impl FnOnce(&Connection) -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let connection = connections.get().await.map_err(|error| match error {
        PoolError::Backend(error) => error.into(),
        error => BoxError::from(error),
    })?;
    let run = move || work(&connection).inspect_err(|_| discard(connection));
    if blocking { unblock(run).await } else { run() }
}

/// Adds `rarray` to a connection.
fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    array::load_module(&connection)?;
    Ok(connection)
}

/// Drops a connection that has failed: another may succeed, for instance if the file was replaced.
fn discard(connection: Object<Connections>) {
    let pool = Object::pool(&connection);
    if pool.is_some_and(|pool| matches!(pool.manager(), Connections::Opened(_))) {
        drop(Object::take(connection));
    }
}

impl sealed::Database for Sqlite {
    type Value = Arc<dyn ToSql + Send + Sync>;
}

/// # Loaders of SQLite's rows
///
/// `map` converts a row, which has the chosen [`columns`](Self::columns), to a value. It runs on a worker
/// thread, unless the database does not [block](Sqlite::blocking). If it fails, the load of that key
/// fails.
///
/// A batch may have any number of keys; use [`max_batch_size`](Loader::max_batch_size) if it would have too
/// many rows. A key that cannot be converted fails alone.
impl<C> RowsBy<Sqlite, C> {
    /// Leaves out rows whose `column` is not equal to `value`: for the rows of one tenant, for example.
    /// Use [`filter_null`](Self::filter_null) for `NULL`, which is not equal to anything.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    #[track_caller]
    pub fn filter(self, column: &str, value: impl ToSql + Send + Sync + 'static) -> Self {
        self.filter_value(column, Arc::new(value))
    }

    /// Creates a loader of the one row of a key. A key without a row fails with
    /// [`LoadError::Missing`](crate::loader::LoadError::Missing), unless there is a
    /// [`default`](Loader::default_with). A key with several rows fails.
    #[must_use]
    #[track_caller]
    pub fn one<K, T>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
    ) -> Loader<K, T>
    where
        K: Key + Send + Sync + SqliteKey<C>,
        T: Clone + Send + 'static,
    {
        self.loader(map, RowsByKey::one)
    }

    /// Creates a loader of all rows of a key.
    #[must_use]
    #[track_caller]
    pub fn many<K, T>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
    ) -> Loader<K, Vec<T>>
    where
        K: Key + Send + Sync + SqliteKey<C>,
        T: Clone + Send + 'static,
    {
        self.loader(map, RowsByKey::many).default_with(|_| Vec::new())
    }

    #[track_caller]
    fn loader<K, T, V>(
        self,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T> + Send + Sync + 'static,
        collect: Collect<K, T, V>,
    ) -> Loader<K, V>
    where
        K: Key + Send + Sync + SqliteKey<C>,
        T: Send + 'static,
        V: Clone + Send + 'static,
    {
        let name = self.name();
        let sql = self.sql();
        let select = Arc::new(Select { sql, columns: self.keys.len(), filters: self.values, map });
        let Sqlite { connections, blocking } = self.store;
        Loader::try_new(move |keys: Vec<K>| {
            let select = Arc::clone(&select);
            let found = run(connections.clone(), blocking, move |connection| {
                Ok((select.run(connection, &keys)?, keys))
            });
            async move {
                let (rows, keys) = found.await?;
                Ok::<_, BoxError>(collect(rows, keys))
            }
        })
        .name(&name)
    }

    /// Returns the statement, which joins the keys with the table: so SQLite compares, by the rules of the
    /// column, and says which key a row has.
    ///
    /// There is one parameter for all keys: there may be any number of them, and the statement is always
    /// the same, so it is prepared once. A CROSS JOIN keeps its order, so the index of the column is used. A
    /// plus removes the affinity of a value, which then gets that of the column.
    fn sql(&self) -> String {
        let columns = self.keys.len();
        let mut keys = vec!["rarray(?1) AS k0".to_owned()];
        for column in 1..columns {
            // The limit makes it a table of its own, for which SQLite makes an index.
            let array =
                format!("SELECT rowid AS place, value FROM rarray(?{}) LIMIT -1", column + 1);
            keys.push(format!("({array}) AS k{column} ON k{column}.place = k0.rowid"));
        }
        let keys = keys.join(" CROSS JOIN ");
        let condition = self.condition(
            |column| format!("+k{column}.value"),
            |filter| format!("?{}", columns + filter + 1),
        );
        let (selected, source, order) = (self.selected("k0.rowid"), self.source(), self.order());
        format!("SELECT {selected} FROM {keys} CROSS JOIN {source} ON {condition}{order}")
    }
}

/// Statement, its parameters and the mapping of its rows.
struct Select<F> {
    sql: String,
    /// Number of columns of a key.
    columns: usize,
    filters: Vec<<Sqlite as sealed::Database>::Value>,
    map: F,
}

impl<F> Select<F> {
    fn run<K, C, T>(&self, connection: &Connection, keys: &[K]) -> Result<RowsByKey<T>, BoxError>
    where
        K: SqliteKey<C>,
        F: Fn(&Row<'_>) -> rusqlite::Result<T>,
    {
        let mut rows_by_key = RowsByKey::new(keys.len());
        let mut arrays = vec![Vec::with_capacity(keys.len()); self.columns];
        let mut bound = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            match key.add_to(&mut arrays) {
                Ok(()) => bound.push(index),
                Err(error) => rows_by_key.add(index, Err(error)),
            }
        }
        let mut statement = connection.prepare_cached(&self.sql)?;
        for (parameter, array) in (1..).zip(arrays) {
            statement.raw_bind_parameter(parameter, Rc::new(array))?;
        }
        for (parameter, value) in (self.columns + 1..).zip(&self.filters) {
            statement.raw_bind_parameter(parameter, value)?;
        }
        let place = statement.column_count() - 1;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            // The rows of an array have numbers from one.
            let place: i64 = row.get(place)?;
            rows_by_key.add(bound[usize::try_from(place)? - 1], (self.map)(row));
        }
        Ok(rows_by_key)
    }
}
