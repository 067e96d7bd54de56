//! Where the keys can be looked up: a file for each store.

mod key_value;
mod memory;
mod postgres;
mod sqlite;

use std::error::Error;
use std::str::FromStr;

use asynq::stores::{Memcached, Postgres, Redis, Sqlite};
use asynq::{BoxError, Loader};
use local_servers::memcached::MemcachedServer;
use local_servers::postgres::PostgresServer;
use local_servers::redis::RedisServer;
use rusqlite::types::FromSql;
use tokio_postgres::types::FromSqlOwned;

use self::memory::Memory;
use crate::database::Database;
use crate::interrupts::Interrupts;
use crate::lookup::Column;
use crate::options::{Options, StoreKind};
use crate::run::Run;

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

/// A store on a server.
trait Served: Store + Sized {
    /// The store on the server at an address.
    fn connect(address: &str) -> Result<Self, BoxError>;

    /// Copies the columns there.
    fn fill(address: &str, database: &Database) -> Result<(), BoxError>;
}

/// Asks the chosen store for the artists of the tracks, in both ways.
pub(crate) fn ask(options: &Options, tracks: &[i64]) -> Result<[Run; 2], BoxError> {
    let database = &options.database;
    match options.store {
        // The file is small, so that the hand-over to another thread would take longer than a query.
        StoreKind::Sqlite => Run::both(tracks, || Ok(Sqlite::open(database).blocking(false))),
        StoreKind::Memory => Run::both(tracks, || Memory::read(&Database::open(database)?)),
        StoreKind::Postgres => {
            let server = || Ok(PostgresServer::start()?);
            ask_server::<_, Postgres>(options, tracks, server, PostgresServer::config)
        }
        StoreKind::Redis => {
            let server = || Ok(RedisServer::start()?);
            ask_server::<_, Redis>(options, tracks, server, RedisServer::url)
        }
        StoreKind::Memcached => {
            let server = || Ok(MemcachedServer::start()?);
            ask_server::<_, Memcached>(options, tracks, server, MemcachedServer::address)
        }
    }
}

/// Starts a server for that, and fills it.
fn ask_server<S, T: Served>(
    options: &Options,
    tracks: &[i64],
    start: impl FnOnce() -> Result<S, BoxError>,
    address: impl FnOnce(&S) -> String,
) -> Result<[Run; 2], BoxError> {
    // From now on Ctrl-C ends the demo only when its server has ended.
    let interrupts = Interrupts::watch()?;
    let server = start()?;
    let (address, database, tracks) =
        (address(&server), options.database.clone(), tracks.to_owned());
    interrupts.or(move || {
        T::fill(&address, &Database::open(&database)?)?;
        Run::both(&tracks, || T::connect(&address))
    })
}
