//! Loaders of rows of PostgreSQL.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use deadpool_postgres::{Client, Manager, Pool, PoolError};
use tokio_postgres::types::{Kind, ToSql, Type};
use tokio_postgres::{Config, Error, NoTls, Row, Statement};

use super::error_chain::ErrorChain;
use super::key_columns::KeyColumns;
use super::postgres_key::PostgresKey;
use super::rows_by::{RowsBy, sealed};
use super::rows_by_key::{Collect, RowsByKey};
use crate::batch::BoxError;
use crate::loader::{Answer, Key, Loader};
use crate::stores::runtime::run_io;

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

    /// Describes the rows of `table` by the value of `column`, or by the values of an array of columns.
    ///
    /// # Panics
    ///
    /// If a name contains a NUL, or the array is empty.
    #[track_caller]
    pub fn rows_by<C: KeyColumns>(&self, table: &str, column: C) -> RowsBy<Self, C::Kind> {
        RowsBy::new(self.clone(), table, column)
    }

    /// Creates a loader by an async `function` with SQL of your own. It gets a connection, which nobody else
    /// uses meanwhile, and the keys of a batch, and runs on the thread of the connections, which it must not
    /// block. If it fails, each load of the batch fails.
    ///
    /// ```no_run
    /// use std::collections::HashMap;
    /// use asynq::stores::Postgres;
    /// use asynq::{FutureBase, Loader};
    ///
    /// let postgres = Postgres::open("host=localhost user=music")?;
    /// let tracks: Loader<i32, i64> = postgres.loader(|client, albums: Vec<i32>| {
    ///     Box::pin(async move {
    ///         let sql = "SELECT album_id, count(*) FROM track WHERE album_id = ANY($1) GROUP BY album_id";
    ///         let rows = client.query(&client.prepare_cached(sql).await?, &[&albums]).await?;
    ///         Ok::<_, asynq::BoxError>(rows.iter().map(|row| (row.get(0), row.get(1))).collect::<HashMap<_, _>>())
    ///     })
    /// });
    /// assert_eq!(tracks.load(4).value()?, 8);
    /// # Ok::<(), asynq::BoxError>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn loader<K, V, A, E>(
        &self,
        function: impl for<'a> Fn(
            &'a Client,
            Vec<K>,
        ) -> Pin<Box<dyn Future<Output = Result<A, E>> + Send + 'a>>
        + Send
        + Sync
        + 'static,
    ) -> Loader<K, V>
    where
        K: Key + Send + Sync,
        V: Clone + Send + 'static,
        A: Answer<K, Value = V> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let pool = self.pool.clone();
        let function = Arc::new(function);
        Loader::new(move |keys: Vec<K>| {
            let (pool, function) = (pool.clone(), Arc::clone(&function));
            run_io(async move {
                let lent = Lent::new(&pool).await?;
                let answer = function(lent.client(), keys).await.map_err(Into::into)?;
                lent.give_back();
                Ok::<A, BoxError>(answer)
            })
        })
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

impl sealed::Database for Postgres {
    type Value = Arc<dyn ToSql + Send + Sync>;
}

/// # Loaders of PostgreSQL's rows
///
/// `map` converts a row, which has the chosen [`columns`](Self::columns), to a value. It runs on the thread
/// of the tasks. If it fails, the load of that key fails: use
/// [`try_get`](tokio_postgres::Row::try_get), since `get` panics.
///
/// Keys must have the type of the column, `i32` for an `integer`. A batch may have any number of keys; use
/// [`max_batch_size`](Loader::max_batch_size) if it would have too many rows. A key that cannot be
/// converted, or that PostgreSQL refuses, fails alone.
impl<C: 'static> RowsBy<Postgres, C> {
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
        map: impl Fn(&Row) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Loader<K, T>
    where
        K: Key + Send + Sync + PostgresKey<C>,
        T: Clone + Send + 'static,
    {
        self.loader(map, RowsByKey::one)
    }

    /// Creates a loader of all rows of a key.
    #[must_use]
    #[track_caller]
    pub fn many<K, T>(
        self,
        map: impl Fn(&Row) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Loader<K, Vec<T>>
    where
        K: Key + Send + Sync + PostgresKey<C>,
        T: Clone + Send + 'static,
    {
        self.loader(map, RowsByKey::many).default_with(|_| Vec::new())
    }

    #[track_caller]
    fn loader<K, T, V>(
        self,
        map: impl Fn(&Row) -> Result<T, Error> + Send + Sync + 'static,
        collect: Collect<K, T, V>,
    ) -> Loader<K, V>
    where
        K: Key + Send + Sync + PostgresKey<C>,
        T: Send + 'static,
        V: Clone + Send + 'static,
    {
        let name = self.name();
        let select = Arc::new(Select { sql: self.sql(), filters: self.values });
        let (pool, map) = (self.store.pool, Arc::new(map));
        Loader::try_new(move |keys: Vec<K>| {
            let found = run_io(find(pool.clone(), Arc::clone(&select), keys));
            let map = Arc::clone(&map);
            async move {
                let Found { keys, rows, errors } = found.await?;
                let mut rows_by_key = RowsByKey::new(keys.len());
                for (index, row) in rows {
                    rows_by_key.add(index, map(&row).map_err(ErrorChain));
                }
                for (index, error) in errors {
                    rows_by_key.add(index, Err(error));
                }
                Ok::<_, BoxError>(collect(rows_by_key, keys))
            }
        })
        .name(&name)
    }

    /// Returns the statement, which joins the keys with the table: so PostgreSQL compares, by the rules of
    /// the column, and says which key a row has.
    ///
    /// `unnest` does not determine the type of a parameter. `= ANY` does, in a query that PostgreSQL parses
    /// first and never runs: the keys get the type that the column is compared with.
    fn sql(&self) -> String {
        let columns = self.keys.len();
        let typed = if self.is_hidden_by("typed") { "typed_keys" } else { "typed" };
        let parameter = |index: usize| format!("${}", index + 1);
        let filter = |index: usize| parameter(columns + index);
        let (source, order) = (self.source(), self.order());
        let typing = self.condition(|column| format!("ANY({})", parameter(column)), filter);
        let arrays = (0..columns).map(parameter).collect::<Vec<_>>().join(", ");
        let names =
            (0..columns).map(|column| format!("key{column}")).collect::<Vec<_>>().join(", ");
        let condition = self.condition(|column| format!("k.key{column}"), filter);
        let selected = self.selected("k.index");
        format!(
            "WITH {typed} AS (SELECT FROM {source} WHERE {typing}) \
             SELECT {selected} FROM unnest({arrays}) WITH ORDINALITY AS k({names}, index) \
             JOIN {source} ON {condition}{order}"
        )
    }
}

/// Statement, and the parameters after the keys.
struct Select {
    sql: String,
    filters: Vec<<Postgres as sealed::Database>::Value>,
}

/// Rows and errors of the keys of a batch, by the index of the key.
struct Found<K> {
    keys: Vec<K>,
    rows: Vec<(usize, Row)>,
    errors: Vec<(usize, BoxError)>,
}

async fn find<K, C>(pool: Pool, select: Arc<Select>, keys: Vec<K>) -> Result<Found<K>, BoxError>
where
    K: Send + Sync + PostgresKey<C>,
{
    let lent = Lent::new(&pool).await?;
    let statement = lent.client().prepare_cached(&select.sql).await.map_err(ErrorChain)?;
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    // The parts of the batch that were not sent yet, by the indices of their keys.
    let mut parts = vec![(0..keys.len()).collect::<Vec<_>>()];
    while let Some(mut part) = parts.pop() {
        let of_part: Vec<_> = part.iter().map(|&index| &keys[index]).collect();
        let error = match query(&lent, &statement, &of_part, &select.filters).await {
            Ok(found) => {
                for row in found {
                    let place: i64 = row.try_get(row.len() - 1).map_err(ErrorChain)?;
                    rows.push((part[usize::try_from(place)? - 1], row));
                }
                continue;
            }
            Err(error) => error,
        };
        if is_of_a_value(&error) {
            // It does not say of which, and must not fail the other keys.
            if let [index] = *part {
                errors.push((index, ErrorChain(error).into()));
            } else {
                let half = part.split_off(part.len() / 2);
                parts.extend([half, part]);
            }
            continue;
        }
        let types = element_types(&statement);
        let refused = part.iter().map(|&index| (index, keys[index].check(&types).err()));
        let refused: Vec<_> = refused.filter_map(|(index, error)| Some((index, error?))).collect();
        if refused.is_empty() || refused.len() == keys.len() {
            return Err(ErrorChain(error).into());
        }
        part.retain(|index| !refused.iter().any(|(other, _)| other == index));
        errors.extend(refused);
        if !part.is_empty() {
            parts.push(part);
        }
    }
    lent.give_back();
    Ok(Found { keys, rows, errors })
}

async fn query<K: PostgresKey<C>, C>(
    lent: &Lent,
    statement: &Statement,
    keys: &[&K],
    filters: &[Arc<dyn ToSql + Send + Sync>],
) -> Result<Vec<Row>, Error> {
    let arrays = K::arrays(keys);
    let mut parameters: Vec<&(dyn ToSql + Sync)> = Vec::new();
    for array in &arrays {
        parameters.push(&**array);
    }
    for value in filters {
        parameters.push(&**value);
    }
    lent.client().query(statement, &parameters).await
}

/// Returns whether an error is of the class "data exception", such as a text with a NUL.
fn is_of_a_value(error: &Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("22"))
}

/// Returns the types of the columns of the keys.
fn element_types(statement: &Statement) -> Vec<Type> {
    let element = |array: &Type| match array.kind() {
        Kind::Array(element) => element.clone(),
        _ => array.clone(),
    };
    statement.params().iter().map(element).collect()
}

/// Connection with a query in progress, which returns to the pool after a success. After a cancellation,
/// the server may be busy with the query for long; after a failure, the connection may be broken, or the
/// table may have changed since the statement was prepared. Then it is dropped.
struct Lent(Option<Client>);

impl Lent {
    async fn new(pool: &Pool) -> Result<Self, BoxError> {
        let client = pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => ErrorChain(error).into(),
            error => BoxError::from(error),
        })?;
        Ok(Self(Some(client)))
    }

    fn client(&self) -> &Client {
        self.0.as_ref().expect("the connection is given back at the end")
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
