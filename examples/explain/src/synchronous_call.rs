//! A synchronous call in a task, which sends each key at once.

use asynq::{BatchError, asynq, try_all};

use crate::store::{ALBUM, ARTIST};

#[asynq]
async fn artist_of(album: u32) -> Result<String, BatchError> {
    let album = ALBUM.load(album).await?;
    ARTIST.load(album.artist).await
}

#[asynq]
async fn line(album: u32) -> Result<String, BatchError> {
    let artist = artist_of(album)?;
    Ok(format!("album {album} by {artist}"))
}

#[asynq]
async fn advised_line(album: u32) -> Result<String, BatchError> {
    let artist = artist_of::asynq(album).await?;
    Ok(format!("album {album} by {artist}"))
}

/// Returns a line for each album.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn page(albums: Vec<u32>) -> Result<Vec<String>, BatchError> {
    try_all(albums.into_iter().map(line::asynq)).await
}

/// The same, as advised.
///
/// # Errors
///
/// If the store fails.
#[asynq]
pub async fn advised(albums: Vec<u32>) -> Result<Vec<String>, BatchError> {
    try_all(albums.into_iter().map(advised_line::asynq)).await
}
