//! A batch that is split by a cache of one's own.

use std::cell::RefCell;
use std::collections::HashMap;

use asynq::{BatchError, asynq, try_all, with_context};

use crate::store::{ARTIST, PRICE};

thread_local! {
    static NAMES: RefCell<HashMap<u32, String>> = RefCell::default();
}

/// Caches a name, as an earlier request would have done.
pub fn remember(artist: u32) {
    NAMES.with_borrow_mut(|names| names.insert(artist, format!("artist {artist}")));
}

/// Returns the number in the name of an artist.
fn first_album(name: &str) -> u32 {
    name.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default()
}

#[asynq]
async fn line(artist: u32) -> Result<String, BatchError> {
    let cached = NAMES.with_borrow(|names| names.get(&artist).cloned());
    let name = match cached {
        Some(name) => name,
        None => ARTIST.load(artist).await?,
    };
    let price = PRICE.load(first_album(&name)).await?;
    Ok(format!("{name}: {price}"))
}

#[asynq]
async fn advised_line(artist: u32) -> Result<String, BatchError> {
    let name = ARTIST.load(artist).await?;
    let price = PRICE.load(first_album(&name)).await?;
    Ok(format!("{name}: {price}"))
}

/// Returns a line for each artist.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn page(artists: Vec<u32>) -> Result<Vec<String>, BatchError> {
    try_all(artists.into_iter().map(line::asynq)).await
}

/// The same, as advised.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn advised(artists: Vec<u32>) -> Result<Vec<String>, BatchError> {
    let lines = artists.into_iter().map(advised_line::asynq);
    with_context(ARTIST.scope(), try_all(lines)).await
}
