//! The tracks of a playlist, or those that the user chose.

use std::fmt;

use asynq::stores::Sqlite;
use asynq::{BoxError, FutureBase, Loader};

use crate::database::Database;
use crate::options::Options;

/// The tracks whose artists are asked for, and what they are together.
pub(crate) struct Listing {
    pub(crate) title: String,
    pub(crate) tracks: Vec<Track>,
}

pub(crate) struct Track {
    pub(crate) id: i64,
    pub(crate) name: String,
}

impl Listing {
    /// Reads what a page knows before it asks for the artist of each row.
    pub(crate) fn read(options: &Options) -> Result<Self, BoxError> {
        let database = Database::open(&options.database)?;
        let (title, ids) = if options.tracks.is_empty() {
            Playlist::find(&database, options.playlist.as_deref())?.tracks(&database)?
        } else {
            ("From --tracks".to_owned(), options.tracks.clone())
        };
        let name: Loader<i64, Option<String>> = Sqlite::open(&options.database)
            .rows_by("Track", "TrackId")
            .columns(["Name"])
            .one(|row| row.get(0))
            .default_with(|_| None);
        let names = name.load_many(ids.iter().copied()).value()?;
        let track = |(id, name): (_, Option<_>)| match name {
            Some(name) => Ok(Track { id, name }),
            None => Err(format!("there is no track {id}")),
        };
        let tracks = ids.into_iter().zip(names).map(track).collect::<Result<_, _>>()?;
        Ok(Self { title, tracks })
    }
}

struct Playlist {
    id: i64,
    name: String,
}

impl Playlist {
    /// The longest of those that are called `wanted`, or of all.
    fn find(database: &Database, wanted: Option<&str>) -> Result<Self, BoxError> {
        let sql = "SELECT PlaylistId, coalesce(Name, '') \
                   FROM Playlist LEFT JOIN PlaylistTrack USING (PlaylistId) \
                   GROUP BY PlaylistId ORDER BY count(TrackId) DESC, PlaylistId";
        let rows: Vec<_> = database.rows(sql, [])?;
        let mut playlists: Vec<_> = rows.into_iter().map(|(id, name)| Self { id, name }).collect();
        let is_wanted = |playlist: &Self| wanted.is_none_or(|wanted| playlist.is_called(wanted));
        match playlists.iter().position(is_wanted) {
            Some(index) => Ok(playlists.swap_remove(index)),
            None => Err(unknown(wanted, &playlists).into()),
        }
    }

    fn is_called(&self, wanted: &str) -> bool {
        // One of them is “90’s Music”, and few keyboards have that apostrophe.
        let fold = |name: &str| name.replace('’', "'").to_lowercase();
        wanted.trim().parse() == Ok(self.id) || fold(wanted) == fold(&self.name)
    }

    /// Returns the title of the playlist, and the ids of its tracks.
    fn tracks(&self, database: &Database) -> Result<(String, Vec<i64>), BoxError> {
        let sql = "SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = ? ORDER BY TrackId";
        let rows: Vec<(i64,)> = database.rows(sql, [self.id])?;
        if rows.is_empty() {
            return Err(format!("playlist {self} has no tracks").into());
        }
        Ok((format!("Playlist {self}"), rows.into_iter().map(|(track,)| track).collect()))
    }
}

impl fmt::Display for Playlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.name)
    }
}

/// Says that there is no such playlist, and which there are.
fn unknown(wanted: Option<&str>, playlists: &[Playlist]) -> String {
    const NAMED: usize = 20;
    let Some(wanted) = wanted.filter(|_| !playlists.is_empty()) else {
        return "there are no playlists in the database".to_owned();
    };
    let names: Vec<_> = playlists.iter().take(NAMED).map(Playlist::to_string).collect();
    let more = if playlists.len() > NAMED { ", …" } else { "" };
    format!("there is no playlist {wanted:?}; there are {}{more}", names.join(", "))
}
