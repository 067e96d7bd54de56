//! Pages about artists, over loaders of any store.

use std::collections::HashMap;

use asynq::{BatchError, Loader, request, try_all};
use futures::future::try_join_all;
use serde::Serialize;

/// An artist with the titles of the albums.
#[derive(Debug, PartialEq, Serialize)]
pub struct Page {
    pub name: String,
    pub albums: Vec<String>,
}

/// Loaders of a store.
pub struct Music {
    /// Name of an artist.
    pub name: Loader<i64, String>,
    /// Titles of the albums of an artist.
    pub albums: Loader<i64, Vec<String>>,
}

/// One artist, as if there were no other.
pub async fn page(music: &Music, id: i64) -> Result<Page, BatchError> {
    let (name, albums) = try_all((music.name.load(id), music.albums.load(id))).await?;
    Ok(Page { name, albums })
}

/// The artists `ids`, with two statements.
pub async fn pages(music: &Music, ids: &[i64]) -> Result<Vec<Page>, BatchError> {
    request(try_join_all(ids.iter().map(|&id| page(music, id)))).await
}

/// The values of each key.
pub fn grouped(rows: Vec<(i64, String)>) -> HashMap<i64, Vec<String>> {
    let mut values: HashMap<i64, Vec<String>> = HashMap::new();
    for (key, value) in rows {
        values.entry(key).or_default().push(value);
    }
    values
}
