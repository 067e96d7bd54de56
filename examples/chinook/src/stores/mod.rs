//! The stores in which the keys can be looked up, a file for each.

mod memory;
#[cfg(feature = "servers")]
pub(crate) mod servers;
mod sqlite;

use asynq::BoxError;
use asynq::stores::Sqlite;

use self::memory::Memory;
use crate::database::Database;
use crate::options::{Options, StoreKind};
use crate::run::Run;

/// Asks the chosen store for the artists of the tracks, in both ways.
pub(crate) fn ask(options: &Options, tracks: &[i64]) -> Result<[Run; 2], BoxError> {
    let database = &options.database;
    match options.store {
        // The file is small, so that the hand-over to another thread would take longer than a query.
        StoreKind::Sqlite => {
            Run::both(options.explain, tracks, || Ok(Sqlite::open(database).blocking(false)))
        }
        StoreKind::Memory => {
            Run::both(options.explain, tracks, || Memory::read(&Database::open(database)?))
        }
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
