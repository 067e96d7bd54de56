//! The loader of a column, which counts what it is asked for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use asynq::Loader;
use asynq::loader::Load;

use crate::column::Column;
use crate::store::{Store, Value};

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
    /// Number of keys that were asked for since the last round.
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
