//! The batch behind the three functions: one column of a table, looked up by the table's key.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use asynq::{Batch, BoxError, Items};

/// Which column of which table, and by which key.
#[derive(Clone, Copy)]
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
    pub(crate) const NAME_OF_TRACK: Self = Self { table: "Track", key: "TrackId", value: "Name" };
}

/// Where the values of a column come from.
pub(crate) trait Store<V> {
    /// The values of those of the keys that have one, in one query.
    fn fetch(&self, keys: &BTreeSet<i64>) -> Result<HashMap<i64, V>, BoxError>;
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

pub(crate) struct Lookup<V> {
    pub(crate) column: Column,
    pub(crate) store: Box<dyn Store<V>>,
    pub(crate) log: Log,
}

impl<V: Clone + 'static> Batch for Lookup<V> {
    type Key = i64;
    type Value = V;
    type Flush = Result<(), BoxError>;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Result<(), BoxError> {
        let Column { table, key, value } = self.column;
        let keys: BTreeSet<i64> = items.keys().iter().copied().collect();
        let round = Round { source: table, keys: items.len(), distinct: keys.len() };
        self.log.borrow_mut().push(round);

        let values = self.store.fetch(&keys)?;
        items.set_results(|id| {
            values.get(id).cloned().ok_or_else(|| format!("no {value} for {key} {id}"))
        });
        Ok(())
    }

    fn name(&self) -> String {
        self.column.table.to_owned()
    }
}
