//! Loaders of rows of PostgreSQL.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use deadpool_postgres::{Client, Manager, Pool, PoolError};
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Config, Error, NoTls, Row};

use super::error_chain::ErrorChain;
use super::rows_by::RowsBy;
use super::rows_by_key::{Collect, RowsByKey};
use crate::batch::BoxError;
use crate::loader::{Key, Loader};
use crate::stores::runtime;

/// PostgreSQL database, with a pool of connections.
///
/// A batch is one statement, which is prepared once per connection. The connections belong to a thread of
/// this crate, so any executor can await loads, and none is needed. Tasks run meanwhile, and as many
/// batches overlap as the pool has connections.
///
/// A batch that fails or is cancelled closes its connection. A batch is cancelled by the
/// [`timeout`](Loader::timeout) or, if nobody awaits it any more, when the next batch begins.
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
    /// Uses the database of a connection string, `host=localhost user=music` or
    /// `postgresql://music@localhost`, without TLS. [`Config`] lists the options. The first batch
    /// connects.
    ///
    /// # Errors
    ///
    /// If the text is not a connection string.
    pub fn open(config: &str) -> Result<Self, Error> {
        Ok(Self::from(config.parse::<Config>()?))
    }

    /// Describes the rows of `table` by the value of `column`.
    ///
    /// # Panics
    ///
    /// If a name contains a NUL.
    #[track_caller]
    pub fn rows_by(&self, table: &str, column: &str) -> RowsBy<Self> {
        RowsBy::new(self.clone(), table, column)
    }
}

/// Connects without TLS, with at most two connections per core.
impl From<Config> for Postgres {
    fn from(config: Config) -> Self {
        let pool = Pool::builder(Manager::new(config, NoTls)).build();
        Self { pool: pool.expect("without timeouts, which need a runtime") }
    }
}

/// Uses a configured pool: for TLS, or with other limits. The connections that it opens for loaders belong
/// to the thread of this crate.
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
/// `map` converts a row, which has the chosen [`columns`](Self::columns), to a value. It runs on the thread
/// of the tasks. If it fails, the load of that key fails: use
/// [`try_get`](tokio_postgres::Row::try_get), since `get` panics.
///
/// Keys must have the type of the column, `i32` for an `integer`, and be equal to the stored values: a row
/// that is found in a column of type `citext` by a key in another case is an error. A batch may have any
/// number of keys; use [`max_batch_size`](Loader::max_batch_size) if it would have too many rows.
impl RowsBy<Postgres> {
    /// Creates a loader of the one row of a key. A key without a row fails with
    /// [`LoadError::Missing`](crate::loader::LoadError::Missing), unless there is a
    /// [`default`](Loader::default_with). A key with several rows fails.
    #[must_use]
    pub fn one<K, T>(self, map: impl Fn(&Row) -> Result<T, Error> + 'static) -> Loader<K, T>
    where
        K: Key + Send + Sync + ToSql + FromSqlOwned,
        T: Clone + 'static,
    {
        self.loader(map, RowsByKey::one)
    }

    /// Creates a loader of all rows of a key.
    #[must_use]
    pub fn many<K, T>(self, map: impl Fn(&Row) -> Result<T, Error> + 'static) -> Loader<K, Vec<T>>
    where
        K: Key + Send + Sync + ToSql + FromSqlOwned,
        T: Clone + 'static,
    {
        self.loader(map, RowsByKey::many).default_with(|_| Vec::new())
    }

    fn loader<K, T, V>(
        self,
        map: impl Fn(&Row) -> Result<T, Error> + 'static,
        collect: Collect<K, T, ErrorChain<Error>, V>,
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
            let mut found = RowsByKey::new(&keys);
            let rows = runtime::run(select(pool.clone(), Arc::clone(&sql), keys));
            let map = Rc::clone(&map);
            async move {
                for row in rows.await? {
                    let key = row.try_get(row.len() - 1).map_err(ErrorChain)?;
                    found.add(&key, map(&row).map_err(ErrorChain))?;
                }
                Ok::<_, BoxError>(collect(found))
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
        PoolError::Backend(error) => ErrorChain(error).into(),
        error => BoxError::from(error),
    })?;
    let lent = Lent(Some(client));
    let rows = lent.query(&sql, &keys).await.map_err(ErrorChain)?;
    lent.give_back();
    Ok(rows)
}

/// Connection with a query in progress, which returns to the pool after a success. After a cancellation,
/// the server may be busy with the query for long; after a failure, the connection may be broken, or the
/// table may have changed since the statement was prepared. Then it is dropped.
struct Lent(Option<Client>);

impl Lent {
    async fn query<K>(&self, sql: &str, keys: &Vec<K>) -> Result<Vec<Row>, Error>
    where
        K: Sync + ToSql,
    {
        let client = self.0.as_ref().expect("the connection is given back at the end");
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
