//! Loaders over a pool or a connection of Diesel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use asynq::{BoxError, FutureBase, Loader};
use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};

use crate::music::{Music, Page, grouped};

pub type Connections = Pool<ConnectionManager<SqliteConnection>>;

diesel::table! {
    artist (id) {
        id -> BigInt,
        name -> Text,
    }
}

diesel::table! {
    album (id) {
        id -> BigInt,
        title -> Text,
        artist_id -> BigInt,
    }
}

pub fn slow_page(connection: &mut SqliteConnection, id: i64) -> QueryResult<Page> {
    let name = artist::table.find(id).select(artist::name).first(connection)?;
    let albums = album::table.filter(album::artist_id.eq(id)).order(album::id);
    Ok(Page { name, albums: albums.select(album::title).load(connection)? })
}

pub fn slow_pages(connection: &mut SqliteConnection, ids: &[i64]) -> QueryResult<Vec<Page>> {
    ids.iter().map(|&id| slow_page(connection, id)).collect() // 2 statements for each artist
}

/// The loaders of a pool.
pub fn music(pool: Connections) -> Music {
    Music { name: name(pool.clone()), albums: albums(pool) }
}

fn name(pool: Connections) -> Loader<i64, String> {
    Loader::blocking(move |ids: Vec<i64>| -> Result<HashMap<_, _>, BoxError> {
        let select = artist::table.filter(artist::id.eq_any(ids));
        let rows = select.load::<(i64, String)>(&mut pool.get()?)?;
        Ok(rows.into_iter().collect())
    })
    .name("name")
}

fn albums(pool: Connections) -> Loader<i64, Vec<String>> {
    Loader::blocking(move |ids: Vec<i64>| -> Result<HashMap<_, _>, BoxError> {
        let select = album::table.filter(album::artist_id.eq_any(ids)).order(album::id);
        Ok(grouped(select.select((album::artist_id, album::title)).load(&mut pool.get()?)?))
    })
    .name("albums")
    .default_with(|_| Vec::new())
}

/// The names that a connection sees, also in a transaction.
pub fn name_within(connection: Arc<Mutex<SqliteConnection>>) -> Loader<i64, String> {
    Loader::blocking(move |ids: Vec<i64>| -> Result<HashMap<i64, String>, BoxError> {
        let mut connection = connection.lock().map_err(|_| "a query has panicked")?;
        let rows = artist::table.filter(artist::id.eq_any(ids)).load(&mut *connection)?;
        Ok(rows.into_iter().collect())
    })
    .name("name")
}

/// Renames an artist, and returns the name that its transaction then sees.
pub fn rename(
    connection: &Arc<Mutex<SqliteConnection>>,
    id: i64,
    name: &str,
) -> Result<String, BoxError> {
    let locked = || connection.lock().map_err(|_| "a query has panicked");
    AnsiTransactionManager::begin_transaction(&mut *locked()?)?;
    let update = diesel::update(artist::table.find(id)).set(artist::name.eq(name));
    update.execute(&mut *locked()?)?;
    let seen = name_within(Arc::clone(connection)).load(id).value()?;
    AnsiTransactionManager::commit_transaction(&mut *locked()?)?;
    Ok(seen)
}
