//! The loader of a column, which counts what it is asked for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use asynq::BatchError;

use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::store::Store;
use crate::value::Value;

/// A flush, for `--explain`.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) source: &'static str,
    pub(crate) keys: usize,
    pub(crate) distinct: usize,
}

/// All that was flushed, in order; the lookups of a [`Music`](crate::music::Music) share it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Round>>>);

impl Log {
    /// Returns the rounds so far.
    pub(crate) fn rounds(&self) -> Vec<Round> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, round: Round) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(round);
    }
}

/// The loader of a column, which writes down its rounds.
#[derive(Clone)]
pub(crate) struct Lookup<V: Value> {
    loader: AnyLoader<V>,
    /// Number of keys that were asked for since the last round.
    asked: Arc<AtomicUsize>,
}

impl<V: Value> Lookup<V> {
    pub(crate) fn new(store: &impl Store, column: Column, log: &Log) -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let before_flush = {
            let (asked, log) = (Arc::clone(&asked), log.clone());
            move |keys: &[i64]| {
                let (keys, distinct) = (asked.swap(0, Ordering::Relaxed), keys.len());
                log.add(Round { source: column.table, keys, distinct });
            }
        };
        let loader = store.loader(column).on_flush(column.table, before_flush);
        Self { loader, asked }
    }

    pub(crate) async fn load(&self, key: i64) -> Result<V, BatchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.loader.load(key).await
    }
}
