//! Loaders over a pool or a transaction of sqlx.

use std::collections::HashMap;
use std::sync::Arc;

use asynq::loader::{Per, per};
use asynq::{BoxError, Loader, request};
use sqlx::{QueryBuilder, Sqlite, SqlitePool, Transaction};
use tokio::sync::Mutex;

use crate::music::{Music, Page, grouped};

pub async fn slow_page(pool: &SqlitePool, id: i64) -> Result<Page, sqlx::Error> {
    let name = sqlx::query_scalar("SELECT name FROM artist WHERE id = ?");
    let albums = sqlx::query_scalar("SELECT title FROM album WHERE artist_id = ? ORDER BY id");
    Ok(Page {
        name: name.bind(id).fetch_one(pool).await?,
        albums: albums.bind(id).fetch_all(pool).await?,
    })
}

pub async fn slow_pages(pool: &SqlitePool, ids: &[i64]) -> Result<Vec<Page>, sqlx::Error> {
    let mut pages = Vec::new();
    for &id in ids {
        pages.push(slow_page(pool, id).await?); // 2 statements for each artist
    }
    Ok(pages)
}

/// The loaders of a pool.
pub fn music(pool: SqlitePool) -> Music {
    Music { name: name(pool.clone()), albums: albums(pool) }
}

fn name(pool: SqlitePool) -> Loader<i64, String> {
    Loader::new(move |ids: Vec<i64>| {
        let pool = pool.clone();
        async move {
            let mut select = among("SELECT id, name FROM artist WHERE id IN ", &ids);
            let rows = select.build_query_as().fetch_all(&pool).await?;
            Ok::<HashMap<i64, String>, sqlx::Error>(rows.into_iter().collect())
        }
    })
    .name("name")
}

fn albums(pool: SqlitePool) -> Loader<i64, Vec<String>> {
    Loader::new(move |ids: Vec<i64>| {
        let pool = pool.clone();
        async move {
            let mut select = among("SELECT artist_id, title FROM album WHERE artist_id IN ", &ids);
            let rows = select.push(" ORDER BY id").build_query_as().fetch_all(&pool).await?;
            Ok::<_, sqlx::Error>(grouped(rows))
        }
    })
    .name("albums")
    .default_with(|_| Vec::new())
}

/// The statement `select`, followed by the list of `keys`.
fn among(select: &str, keys: &[i64]) -> QueryBuilder<'static, Sqlite> {
    let mut select = QueryBuilder::new(select);
    select.push_tuples(keys, |mut row, &key| {
        row.push_bind(key);
    });
    select
}

/// The names that a transaction sees.
pub fn name_within(transaction: &Arc<Mutex<Transaction<'static, Sqlite>>>) -> Loader<i64, String> {
    let transaction = Arc::downgrade(transaction);
    Loader::new(move |ids: Vec<i64>| {
        let transaction = transaction.upgrade().ok_or("the transaction has ended");
        async move {
            let transaction = transaction?;
            let mut select = among("SELECT id, name FROM artist WHERE id IN ", &ids);
            let rows = select.build_query_as().fetch_all(&mut **transaction.lock().await).await?;
            Ok::<HashMap<i64, String>, BoxError>(rows.into_iter().collect())
        }
    })
    .name("name")
}

/// Renames an artist, and returns the name that its transaction then sees.
pub async fn rename(pool: &SqlitePool, id: i64, name: &str) -> Result<String, BoxError> {
    let transaction = Arc::new(Mutex::new(pool.begin().await?));
    let update = sqlx::query("UPDATE artist SET name = ? WHERE id = ?").bind(name).bind(id);
    update.execute(&mut **transaction.lock().await).await?;
    let seen = request(name_within(&transaction).load(id)).await?;
    let transaction = Arc::into_inner(transaction).ok_or("a load is in flight")?;
    transaction.into_inner().commit().await?;
    Ok(seen)
}

/// The names of each tenant, whose pool `pool_of` returns.
pub fn name_per_tenant(
    pool_of: impl Fn(&str) -> SqlitePool + Send + Sync + 'static,
) -> Per<String, i64, String> {
    per(move |tenant: &String| name(pool_of(tenant)))
}
