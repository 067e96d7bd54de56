//! Rows of a PostgreSQL database.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use deadpool_postgres::{Client, Manager, Pool, PoolError};
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Config, Error, NoTls, Row};

use super::error_chain::Explained;
use super::rows_by::RowsBy;
use super::rows_by_key::{Found, Gather};
use crate::batch::BoxError;
use crate::loader::{Key, Loader};
use crate::stores::runtime;

/// A PostgreSQL database, by a pool of connections.
///
/// A batch is one statement, prepared once for each connection. The connections live on a thread of
/// their own, so loads may be awaited by any executor, or with none. Tasks go on meanwhile, and batches
/// of several loaders overlap, as many as the pool has connections.
///
/// A batch that fails takes its connection with it, and so does one that is given up, because of its
/// [`timeout`](Loader::timeout) or, when nobody waits for it any more, when the next one begins.
///
/// ```no_run
/// use asynq::stores::Postgres;
/// use asynq::{FutureBase, Loader};
///
/// let postgres = Postgres::open("host=localhost user=music")?;
///
/// let title: Loader<i32, String> =
///     postgres.rows_by("album", "album_id").columns(["title"]).one(|row| row.try_get(0));
/// assert_eq!(title.load(4).value()?, "Let There Be Rock");
///
/// let albums: Loader<i32, Vec<(i32, String)>> = postgres
///     .rows_by("album", "artist_id")
///     .columns(["album_id", "title"])
///     .order_by("title")
///     .many(|row| Ok((row.try_get("album_id")?, row.try_get("title")?)));
/// assert_eq!(albums.load(1).value()?.len(), 2);
/// # Ok::<(), asynq::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// The database that a connection string names, `host=localhost user=music` or
    /// `postgresql://music@localhost`; see [`Config`] for what may be in it. Without TLS.
    ///
    /// # Errors
    ///
    /// If the text is not a connection string. Nothing connects before the first batch.
    pub fn open(config: &str) -> Result<Self, Error> {
        Ok(Self::from(config.parse::<Config>()?))
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

/// Without TLS, and at most two connections for each core.
impl From<Config> for Postgres {
    fn from(config: Config) -> Self {
        let pool = Pool::builder(Manager::new(config, NoTls)).build();
        Self { pool: pool.expect("without timeouts, which need a runtime") }
    }
}

/// A pool of one's own: for TLS, or for other connections. Those that it makes for loaders live on the
/// thread of the stores.
impl From<Pool> for Postgres {
    fn from(pool: Pool) -> Self {
        Self { pool }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("pool", &self.pool.status()).finish()
    }
}

/// # Loaders of PostgreSQL's rows
///
/// `map` makes a value of a row, which has the chosen [`columns`](Self::columns). It runs on the thread
/// of the load. If it fails, so does the load of that key: get values by
/// [`try_get`](tokio_postgres::Row::try_get), since `get` panics.
///
/// Keys have the type of the column, `i32` for an `integer`, and are stored as they are asked for: a
/// row that is found in a column of type `citext` by a key in another case is an error. A batch may
/// have any number of keys; limit it with [`max_batch_size`](Loader::max_batch_size) where its rows
/// would be too many.
impl RowsBy<Postgres> {
    /// A loader of the one row that has the key. A key without a row fails with
    /// [`LoadError::Missing`](crate::loader::LoadError::Missing), unless there is a
    /// [`default`](Loader::default_with); a key with several rows fails.
    #[must_use]
    pub fn one<K, T>(self, map: impl Fn(&Row) -> Result<T, Error> + 'static) -> Loader<K, T>
    where
        K: Key + Send + Sync + ToSql + FromSqlOwned,
        T: Clone + 'static,
    {
        self.loader(map, Found::one)
    }

    /// A loader of all the rows that have the key, none or several.
    #[must_use]
    pub fn many<K, T>(self, map: impl Fn(&Row) -> Result<T, Error> + 'static) -> Loader<K, Vec<T>>
    where
        K: Key + Send + Sync + ToSql + FromSqlOwned,
        T: Clone + 'static,
    {
        self.loader(map, Found::many).default_with(|_| Vec::new())
    }

    fn loader<K, T, V>(
        self,
        map: impl Fn(&Row) -> Result<T, Error> + 'static,
        gather: Gather<K, T, Explained<Error>, V>,
    ) -> Loader<K, V>
    where
        K: Key + Send + Sync + ToSql + FromSqlOwned,
        T: 'static,
        V: Clone + 'static,
    {
        let name = self.name();
        let sql: Arc<str> = self.sql("= ANY($1)").into();
        let (pool, map) = (self.store.pool, Rc::new(map));
        Loader::try_new(move |keys: Vec<K>| {
            let mut found = Found::nothing(&keys);
            let rows = runtime::run(select(pool.clone(), Arc::clone(&sql), keys));
            let map = Rc::clone(&map);
            async move {
                for row in rows.await? {
                    let key = row.try_get(row.len() - 1).map_err(Explained)?;
                    found.add(&key, map(&row).map_err(Explained))?;
                }
                Ok::<_, BoxError>(gather(found))
            }
        })
        .name(&name)
    }
}

async fn select<K>(pool: Pool, sql: Arc<str>, keys: Vec<K>) -> Result<Vec<Row>, BoxError>
where
    K: Send + Sync + ToSql,
{
    let client = pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => Explained(error).into(),
        error => BoxError::from(error),
    })?;
    let lent = Lent(Some(client));
    let rows = lent.query(&sql, &keys).await.map_err(Explained)?;
    lent.give_back();
    Ok(rows)
}

/// A connection with a query under way. The pool has it back if all goes well. If the query is given up,
/// the server may be busy with it for long; if it fails, so may the connection, or the table has changed
/// since the statement was prepared.
struct Lent(Option<Client>);

impl Lent {
    async fn query<K>(&self, sql: &str, keys: &Vec<K>) -> Result<Vec<Row>, Error>
    where
        K: Sync + ToSql,
    {
        let client = self.0.as_ref().expect("it is given back at the end");
        let statement = client.prepare_cached(sql).await?;
        client.query(&statement, &[keys]).await
    }

    fn give_back(mut self) {
        self.0.take();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Client::take(client));
        }
    }
}
