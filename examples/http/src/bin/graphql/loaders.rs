//! Loaders of all requests: one statement for all that the resolvers asked for together.

use std::sync::LazyLock;

use asynq::Loader;
use asynq::stores::Sqlite;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags, Row};

use crate::schema::{Album, Artist, Genre, Track};

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/chinook.sqlite");

static CHINOOK: LazyLock<Sqlite> = LazyLock::new(|| Sqlite::open_with(connect));

/// So many artists.
pub(crate) static ARTISTS: LazyLock<Loader<u32, Vec<Artist>>> =
    LazyLock::new(|| Loader::blocking(first_artists).name("first artists"));

/// The albums of an artist.
pub(crate) static ALBUMS: LazyLock<Loader<i64, Vec<Album>>> = LazyLock::new(|| {
    let albums = CHINOOK.rows_by("Album", "ArtistId").columns(["AlbumId", "Title"]);
    albums.order_by("AlbumId").many(|row| Ok(Album { id: row.get(0)?, title: row.get(1)? }))
});

/// The tracks of an album.
pub(crate) static TRACKS: LazyLock<Loader<i64, Vec<Track>>> = LazyLock::new(|| {
    let tracks = CHINOOK.rows_by("Track", "AlbumId").columns(["Name", "GenreId"]);
    tracks.order_by("TrackId").many(|row| Ok(Track { name: row.get(0)?, genre_id: row.get(1)? }))
});

pub(crate) static GENRE: LazyLock<Loader<i64, Genre>> = LazyLock::new(|| {
    let genres = CHINOOK.rows_by("Genre", "GenreId").columns(["Name"]);
    genres.one(|row| Ok(Genre { name: row.get(0)? }))
});

/// Returns the first artists for each count. All counts share a statement: a smaller count gets its beginning.
fn first_artists(counts: Vec<u32>) -> rusqlite::Result<Vec<Vec<Artist>>> {
    let database = connect()?;
    let mut select =
        database.prepare("SELECT ArtistId, Name FROM Artist ORDER BY ArtistId LIMIT ?1")?;
    let artist = |row: &Row<'_>| Ok(Artist { id: row.get(0)?, name: row.get(1)? });
    let artists: Vec<_> =
        select.query_map([counts.iter().max()], artist)?.collect::<Result<_, _>>()?;
    let first = |count| artists.iter().cloned().zip(0..count).map(|(artist, _)| artist).collect();
    Ok(counts.into_iter().map(first).collect())
}

/// A connection that prints its statements.
fn connect() -> rusqlite::Result<Connection> {
    let mut database = Connection::open_with_flags(DATABASE, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let print = |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            println!("{sql}");
        }
    };
    database.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(print))?;
    Ok(database)
}
