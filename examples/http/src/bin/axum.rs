//! A server on tokio: `GET /artists/{id}` gives an artist of the Chinook database with the albums
//! and their tracks, as JSON.
//!
//! `cargo run -p asynq-http-examples --bin axum [ADDRESS]` prints where it listens, and then each statement
//! that it sends: three for an artist, however many albums there are. Requests at the same time share them.
#![forbid(unsafe_code)]

use std::env;
use std::sync::LazyLock;

use asynq::stores::Sqlite;
use asynq::{BatchError, BoxError, Loader, RequestLayer};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{try_join, try_join_all};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use tokio::net::TcpListener;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/chinook.sqlite");

static CHINOOK: LazyLock<Sqlite> = LazyLock::new(|| Sqlite::open_with(connect));

/// The name of an artist.
static ARTIST: LazyLock<Loader<i64, Option<String>>> = LazyLock::new(|| {
    let artists = CHINOOK.rows_by("Artist", "ArtistId").columns(["Name"]);
    artists.one(|row| row.get(0)).default_with(|_| None)
});

/// The albums of an artist.
static ALBUMS: LazyLock<Loader<i64, Vec<(i64, String)>>> = LazyLock::new(|| {
    let albums = CHINOOK.rows_by("Album", "ArtistId").columns(["AlbumId", "Title"]);
    albums.order_by("AlbumId").many(|row| Ok((row.get(0)?, row.get(1)?)))
});

/// The tracks of an album.
static TRACKS: LazyLock<Loader<i64, Vec<String>>> = LazyLock::new(|| {
    CHINOOK.rows_by("Track", "AlbumId").columns(["Name"]).order_by("TrackId").many(|row| row.get(0))
});

#[derive(Serialize)]
struct Artist {
    name: String,
    albums: Vec<Album>,
}

#[derive(Serialize)]
struct Album {
    title: String,
    tracks: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    let routes = Router::new().route("/artists/{id}", get(artist)).layer(RequestLayer);
    Ok(axum::serve(listener, routes).await?)
}

/// One artist, as if there were no other request.
async fn artist(Path(id): Path<i64>) -> Result<Json<Artist>, (StatusCode, String)> {
    let (name, albums) =
        try_join(ARTIST.load(id), ALBUMS.load(id)).await.map_err(|error| internal(&error))?;
    let name = name.ok_or_else(|| (StatusCode::NOT_FOUND, format!("there is no artist {id}")))?;
    let albums =
        try_join_all(albums.into_iter().map(album)).await.map_err(|error| internal(&error))?;
    Ok(Json(Artist { name, albums }))
}

async fn album((id, title): (i64, String)) -> Result<Album, BatchError> {
    Ok(Album { title, tracks: TRACKS.load(id).await? })
}

/// An error of the database is for the log, and not for the client.
fn internal(error: &BatchError) -> (StatusCode, String) {
    eprintln!("{error}");
    (StatusCode::INTERNAL_SERVER_ERROR, "the database does not answer".to_owned())
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
