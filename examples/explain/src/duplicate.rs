//! A key that is sent again in a later round.

use asynq::{BatchError, asynq, with_context};

use crate::store::{ALBUM, ARTIST};

/// Returns the number in the name of an artist.
fn first_album(name: &str) -> u32 {
    name.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default()
}

/// Returns the header of a page, and a line for its album.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn page(artist: u32) -> Result<String, BatchError> {
    let header = ARTIST.load(artist).await?;
    let album = ALBUM.load(first_album(&header)).await?;
    let name = ARTIST.load(album.artist).await?;
    Ok(format!("{header}: {} by {name}", album.title))
}

/// The same, as advised.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn advised(artist: u32) -> Result<String, BatchError> {
    with_context(ARTIST.scope(), page::asynq(artist)).await
}
