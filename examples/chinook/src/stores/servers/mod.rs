//! Stores on servers, which are started for the demo and filled.

pub(crate) mod interrupts;
mod key_value;
mod postgres;

use asynq::BoxError;
use asynq::stores::{Memcached, Postgres, Redis};
use local_servers::memcached::MemcachedServer;
use local_servers::postgres::PostgresServer;
use local_servers::redis::RedisServer;

use self::interrupts::Interrupts;
use crate::database::Database;
use crate::options::{Options, StoreKind};
use crate::run::Run;
use crate::store::Store;

/// A store on a server.
trait Served: Store + Sized {
    /// The store on the server at an address.
    fn connect(address: &str) -> Result<Self, BoxError>;

    /// Copies the columns there.
    fn fill(address: &str, database: &Database) -> Result<(), BoxError>;
}

/// Asks the chosen store for the artists of the tracks, in both ways.
pub(super) fn ask(options: &Options, tracks: &[i64]) -> Result<[Run; 2], BoxError> {
    match options.store {
        StoreKind::Sqlite | StoreKind::Memory => unreachable!("a store without a server"),
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
    let explains = options.explain;
    interrupts.or(move || {
        T::fill(&address, &Database::open(&database)?)?;
        Run::both(explains, &tracks, || T::connect(&address))
    })
}
