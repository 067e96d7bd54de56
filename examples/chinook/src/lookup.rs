//! What the three functions ask: one column of a table, looked up by the table's key.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use asynq::loader::Load;
use asynq::{BoxError, Loader};

use crate::database::Database;
use crate::stores::{Store, Value};

/// Which column of which table, and by which key.
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

/// A flush, for `--explain`.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) source: &'static str,
    pub(crate) keys: usize,
    pub(crate) distinct: usize,
}

/// All that was flushed, in order; the lookups of a [`Music`](crate::music::Music) share it.
pub(crate) type Log = Rc<RefCell<Vec<Round>>>;

/// The loader of a column, which writes down its rounds.
#[derive(Clone)]
pub(crate) struct Lookup<V: Value> {
    loader: Loader<i64, V>,
    /// How many keys were asked for since the last round.
    asked: Rc<Cell<usize>>,
}

impl<V: Value> Lookup<V> {
    pub(crate) fn new(store: &impl Store, column: Column, log: &Log) -> Self {
        let asked = Rc::new(Cell::new(0));
        let before_flush = {
            let (asked, log) = (Rc::clone(&asked), Rc::clone(log));
            move |keys: &[i64]| {
                let (keys, distinct) = (asked.take(), keys.len());
                log.borrow_mut().push(Round { source: column.table, keys, distinct });
            }
        };
        let loader = store.loader(column).name(column.table).before_flush(before_flush);
        Self { loader, asked }
    }

    pub(crate) fn load(&self, key: i64) -> Load<i64, V> {
        self.asked.set(self.asked.get() + 1);
        self.loader.load(key)
    }
}
