//! A server on tokio: `GET /artists/{id}` gives an artist of the Chinook database with the albums
//! and their tracks, as JSON.
//!
//! `cargo run -p asynq-http-examples --bin axum [ADDRESS]` prints where it listens, and then each query
//! that it sends: three for an artist, however many albums there are.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::env;
use std::rc::Rc;

use asynq::{Batch, BatchError, BoxError, Items, Source, asynq, spawn_pinned, try_all};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, vtab};
use serde::Serialize;
use tokio::net::TcpListener;

const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/chinook.sqlite");

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    let routes = Router::new().route("/artists/{id}", get(artist));
    Ok(axum::serve(listener, routes).await?)
}

/// A `Send` handler. The request runs on one thread of a pool, where it shares queries with the
/// others that run there.
async fn artist(Path(id): Path<i64>) -> Response {
    let artist = spawn_pinned(move || async move {
        let store = STORE.with(Store::clone);
        // The error is for that thread, its text for all.
        store.artist_asynq(id).await.map_err(|error| error.to_string())
    });
    match artist.await {
        Ok(Ok(Some(artist))) => Json(artist).into_response(),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, format!("there is no artist {id}")).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

thread_local! {
    static STORE: Store =
        Store::new(connect().expect("the database of the checkout"));
}

/// A connection with `rarray(?)`, a variable for any number of keys.
fn connect() -> rusqlite::Result<Connection> {
    let database = Connection::open_with_flags(DATABASE, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    vtab::array::load_module(&database)?;
    Ok(database)
}

/// Sources of one thread. Clones ask the same sources.
#[derive(Clone)]
struct Store {
    artists: Source<Names>,
    albums_of_artist: Source<Names>,
    tracks_of_album: Source<Names>,
}

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

#[asynq]
impl Store {
    async fn artist(&self, id: i64) -> Result<Option<Artist>, BatchError> {
        let asked = (self.artists.item(id), self.albums_of_artist.item(id));
        let (artist, albums) = try_all(asked).await?;
        let albums = albums.into_iter().map(|(id, title)| self.album_asynq(id, title));
        let albums = try_all(albums).await?;
        Ok(artist.into_iter().next().map(|(_, name)| Artist { name, albums }))
    }

    async fn album(&self, id: i64, title: String) -> Result<Album, BatchError> {
        let tracks = self.tracks_of_album.item(id).await?;
        Ok(Album { title, tracks: tracks.into_iter().map(|(_, name)| name).collect() })
    }
}

impl Store {
    fn new(database: Connection) -> Self {
        let database = Rc::new(database);
        let source = |key, columns| {
            let sql = format!("SELECT {key}, {columns} WHERE {key} IN rarray(?)");
            Source::new(Names { database: Rc::clone(&database), sql })
        };
        Self {
            artists: source("ArtistId", "ArtistId, Name FROM Artist"),
            albums_of_artist: source("ArtistId", "AlbumId, Title FROM Album"),
            tracks_of_album: source("AlbumId", "TrackId, Name FROM Track"),
        }
    }
}

/// For a key, the rows that have it: of each its id and its name.
struct Names {
    database: Rc<Connection>,
    /// Gives key, id and name.
    sql: String,
}

impl Batch for Names {
    type Key = i64;
    type Value = Vec<(i64, String)>;
    type Flush = Result<(), BoxError>;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Result<(), BoxError> {
        println!("{} keys: {}", items.len(), self.sql);
        let keys: Vec<_> = items.keys().iter().copied().map(Value::from).collect();
        let mut statement = self.database.prepare_cached(&self.sql)?;
        let mut rows = statement.query([Rc::new(keys)])?;
        let mut names = HashMap::<i64, Vec<_>>::new();
        while let Some(row) = rows.next()? {
            names.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
        }
        items.set_values(|key| Some(names.get(key).cloned().unwrap_or_default()));
        Ok(())
    }
}
