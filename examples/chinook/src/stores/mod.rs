//! Where the keys can be looked up: a file for each store.

mod memory;
#[cfg(feature = "servers")]
pub(crate) mod servers;
mod sqlite;

use std::error::Error;
use std::str::FromStr;

use asynq::stores::Sqlite;
use asynq::{BoxError, Loader};
use rusqlite::types::FromSql;
#[cfg(feature = "servers")]
use tokio_postgres::types::FromSqlOwned;

use self::memory::Memory;
use crate::database::Database;
use crate::lookup::Column;
use crate::options::{Options, StoreKind};
use crate::run::Run;

/// Stands for the trait of `tokio_postgres`, in a demo without servers.
#[cfg(not(feature = "servers"))]
pub(crate) trait FromSqlOwned {}

#[cfg(not(feature = "servers"))]
impl<V> FromSqlOwned for V {}

/// A value of a column, as each of the stores can have it.
pub(crate) trait Value:
    FromSql + FromSqlOwned + FromStr<Err: Error + Send + Sync> + Clone + Send + 'static
{
}

impl<V> Value for V where
    V: FromSql + FromSqlOwned + FromStr<Err: Error + Send + Sync> + Clone + Send + 'static
{
}

/// Where the values are kept.
pub(crate) trait Store {
    /// A loader of a column's values by their keys.
    fn loader<V: Value>(&self, column: Column) -> Loader<i64, V>;
}

/// Asks the chosen store for the artists of the tracks, in both ways.
pub(crate) fn ask(options: &Options, tracks: &[i64]) -> Result<[Run; 2], BoxError> {
    let database = &options.database;
    match options.store {
        // The file is small, so that the hand-over to another thread would take longer than a query.
        StoreKind::Sqlite => Run::both(tracks, || Ok(Sqlite::open(database).blocking(false))),
        StoreKind::Memory => Run::both(tracks, || Memory::read(&Database::open(database)?)),
        #[cfg(feature = "servers")]
        StoreKind::Postgres | StoreKind::Redis | StoreKind::Memcached => {
            servers::ask(options, tracks)
        }
        #[cfg(not(feature = "servers"))]
        StoreKind::Postgres | StoreKind::Redis | StoreKind::Memcached => {
            Err("this demo was built without servers: cargo run -p chinook --features servers"
                .into())
        }
    }
}
