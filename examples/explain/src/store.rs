//! The store of all pages: a music shop, of which each table is a loader.

use std::sync::LazyLock;

use asynq::Loader;

/// An album.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Album {
    /// Its title.
    pub title: String,
    /// Its artist.
    pub artist: u32,
    /// The next album of the same artist; 0 after the last.
    pub next: u32,
}

/// Albums by id.
pub static ALBUM: LazyLock<Loader<u32, Album>> = LazyLock::new(|| {
    let album = |id: u32| Album {
        title: format!("album {id}"),
        artist: id % 3,
        next: if id < 3 { id + 1 } else { 0 },
    };
    Loader::new(move |ids: Vec<u32>| ids.into_iter().map(album).collect::<Vec<_>>()).name("album")
});

/// Names of artists by id.
pub static ARTIST: LazyLock<Loader<u32, String>> = LazyLock::new(|| {
    let name = |id| format!("artist {id}");
    Loader::new(move |ids: Vec<u32>| ids.into_iter().map(name).collect::<Vec<_>>()).name("artist")
});

/// Prices of albums in cents.
pub static PRICE: LazyLock<Loader<u32, u32>> = LazyLock::new(|| {
    Loader::new(|ids: Vec<u32>| ids.into_iter().map(|id| 100 * id).collect::<Vec<_>>())
        .name("price")
});
