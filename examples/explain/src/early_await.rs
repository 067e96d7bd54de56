//! A late key, because of an await that comes too early.

use asynq::{BatchError, all, asynq};

use crate::store::{ALBUM, ARTIST};

#[asynq]
async fn title(album: u32) -> Result<String, BatchError> {
    Ok(ALBUM.load(album).await?.title)
}

/// Returns the name of an artist and the title of an album.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn page(artist: u32, album: u32) -> Result<String, BatchError> {
    let name = ARTIST.load(artist).await?;
    let title = title::asynq(album).await?;
    Ok(format!("{title} by {name}"))
}

/// The same, as advised.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn advised(artist: u32, album: u32) -> Result<String, BatchError> {
    let (name, title) = all((ARTIST.load(artist), title::asynq(album))).await;
    Ok(format!("{} by {}", title?, name?))
}
