//! A column of a table, whose values are looked up by the table's key.

use std::collections::HashMap;

use asynq::BoxError;

use crate::database::Database;

/// A column of a table, and the key of that table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
}

impl Column {
    pub(crate) const ALBUM_OF_TRACK: Self =
        Self { table: "Track", key: "TrackId", value: "AlbumId" };
    pub(crate) const ARTIST_OF_ALBUM: Self =
        Self { table: "Album", key: "AlbumId", value: "ArtistId" };
    pub(crate) const NAME_OF_ARTIST: Self =
        Self { table: "Artist", key: "ArtistId", value: "Name" };

    pub(crate) const ALL: [Self; 3] =
        [Self::ALBUM_OF_TRACK, Self::ARTIST_OF_ALBUM, Self::NAME_OF_ARTIST];

    /// All of its keys, and their values as texts.
    pub(crate) fn read(self, database: &Database) -> Result<HashMap<i64, String>, BoxError> {
        let Self { table, key, value } = self;
        let sql =
            format!("SELECT {key}, CAST({value} AS TEXT) FROM {table} WHERE {value} IS NOT NULL");
        database.rows(&sql, [])
    }
}
