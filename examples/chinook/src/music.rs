//! The program itself: who plays a track?

use asynq::{BatchError, asynq};

use crate::column::Column;
use crate::lookup::{Log, Lookup, Round};
use crate::store::Store;

/// The music store. Clones ask the same loaders.
#[derive(Clone)]
pub(crate) struct Music {
    /// A track's album.
    tracks: Lookup<i64>,
    /// An album's artist.
    albums: Lookup<i64>,
    /// An artist's name.
    artists: Lookup<String>,
    log: Log,
}

/// Each function is about one thing, as if there were no other.
#[asynq]
impl Music {
    /// The name of the artist of a track.
    pub(crate) async fn artist_of_track(&self, track: i64) -> Result<String, BatchError> {
        let album = self.album_of_track_asynq(track).await?;
        let artist = self.albums.load(album).await?;
        self.artist_name_asynq(artist).await
    }

    async fn album_of_track(&self, track: i64) -> Result<i64, BatchError> {
        self.tracks.load(track).await
    }

    async fn artist_name(&self, artist: i64) -> Result<String, BatchError> {
        self.artists.load(artist).await
    }
}

impl Music {
    pub(crate) fn new(store: &impl Store) -> Self {
        let log = Log::default();
        Self {
            tracks: Lookup::new(store, Column::ALBUM_OF_TRACK, &log),
            albums: Lookup::new(store, Column::ARTIST_OF_ALBUM, &log),
            artists: Lookup::new(store, Column::NAME_OF_ARTIST, &log),
            log,
        }
    }

    /// Returns the rounds so far.
    pub(crate) fn rounds(&self) -> Vec<Round> {
        self.log.rounds()
    }
}
