//! The program itself: who plays a track?

use std::rc::Rc;

use asynq::{BatchError, BoxError, Source, asynq};
use rusqlite::types::FromSql;

use crate::database::Database;
use crate::lookup::{Column, Log, Lookup, Round, Store};
use crate::memory::Memory;
use crate::options::StoreKind;
use crate::sqlite::Sqlite;

/// The music store. Clones ask the same sources.
#[derive(Clone)]
pub(crate) struct Music {
    /// A track's album.
    tracks: Source<Lookup<i64>>,
    /// An album's artist.
    albums: Source<Lookup<i64>>,
    /// An artist's name.
    artists: Source<Lookup<String>>,
    log: Log,
}

/// Each function is about one thing, as if there were no other.
#[asynq]
impl Music {
    /// The name of the artist of a track.
    pub(crate) async fn artist_of_track(&self, track: i64) -> Result<String, BatchError> {
        let album = self.album_of_track_asynq(track).await?;
        let artist = self.albums.item(album).await?;
        self.artist_name_asynq(artist).await
    }

    async fn album_of_track(&self, track: i64) -> Result<i64, BatchError> {
        self.tracks.item(track).await
    }

    async fn artist_name(&self, artist: i64) -> Result<String, BatchError> {
        self.artists.item(artist).await
    }
}

impl Music {
    pub(crate) fn new(database: Database, kind: StoreKind) -> Result<Self, BoxError> {
        let database = Rc::new(database);
        let log = Log::default();
        Ok(Self {
            tracks: source(&database, kind, Column::ALBUM_OF_TRACK, &log)?,
            albums: source(&database, kind, Column::ARTIST_OF_ALBUM, &log)?,
            artists: source(&database, kind, Column::NAME_OF_ARTIST, &log)?,
            log,
        })
    }

    /// What was flushed so far.
    pub(crate) fn rounds(&self) -> Vec<Round> {
        self.log.borrow().clone()
    }
}

fn source<V: FromSql + Clone + 'static>(
    database: &Rc<Database>,
    kind: StoreKind,
    column: Column,
    log: &Log,
) -> Result<Source<Lookup<V>>, BoxError> {
    let store: Box<dyn Store<V>> = match kind {
        StoreKind::Sqlite => Box::new(Sqlite::new(Rc::clone(database), column)),
        StoreKind::Memory => Box::new(Memory::load(database, column)?),
    };
    Ok(Source::new(Lookup { column, store, log: Rc::clone(log) }))
}
