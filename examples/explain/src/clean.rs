//! Pages that take no round too many, though they look as if they did.

use asynq::{BatchError, all, asynq, try_all, with_context};

use crate::store::{ALBUM, ARTIST, PRICE};

/// Follows a list from link to link: each turn of the loop needs the one before.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn followed_list(first: u32) -> Result<Vec<String>, BatchError> {
    let mut titles = Vec::new();
    let mut next = first;
    while next != 0 {
        let album = ALBUM.load(next).await?;
        titles.push(album.title);
        next = album.next;
    }
    Ok(titles)
}

/// Awaits what the next await needs.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn needed_await(album: u32) -> Result<String, BatchError> {
    let album = ALBUM.load(album).await?;
    let artist = ARTIST.load(album.artist).await?;
    Ok(format!("{} by {artist}", album.title))
}

/// Looks for the first album that costs something: a turn of the loop runs only if the one before has found none.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn first_found(albums: Vec<u32>) -> Result<Option<u32>, BatchError> {
    for album in albums {
        let price = PRICE.load(album).await?;
        if price > 200 {
            return Ok(Some(album));
        }
    }
    Ok(None)
}

/// Makes one synchronous call, which holds up nobody.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn one_call(album: u32) -> Result<String, BatchError> {
    needed_await(album)
}

/// Asks twice for the same keys of a loader that caches, and for everything else together.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn cached_keys(albums: Vec<u32>) -> Result<usize, BatchError> {
    let page = async move {
        let ids = || albums.iter().copied();
        let (found, prices) = all((ALBUM.load_many(ids()), PRICE.load_many(ids()))).await;
        let names = try_all(found?.iter().map(|album| ARTIST.load(album.artist))).await?;
        let again = try_all(names.iter().map(|name| ARTIST.load(id(name)))).await?;
        Ok(again.len() + prices?.len())
    };
    with_context(ARTIST.scope(), page).await
}

fn id(name: &str) -> u32 {
    name.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default()
}
