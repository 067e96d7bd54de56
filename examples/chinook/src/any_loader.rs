//! A loader of one thread or of all.

use asynq::{BatchError, Loader, LocalLoader};

use crate::value::Value;

/// A loader of values by their keys. That of a key-value store belongs to one thread, as the store does.
#[derive(Clone)]
pub(crate) enum AnyLoader<V: Value> {
    OfAllThreads(Loader<i64, V>),
    #[cfg_attr(
        not(feature = "servers"),
        allow(dead_code, reason = "the servers have such loaders")
    )]
    OfOneThread(LocalLoader<i64, V>),
}

impl<V: Value> AnyLoader<V> {
    pub(crate) fn on_flush(
        self,
        name: &str,
        before: impl Fn(&[i64]) + Send + Sync + 'static,
    ) -> Self {
        match self {
            Self::OfAllThreads(loader) => {
                Self::OfAllThreads(loader.name(name).before_flush(before))
            }
            Self::OfOneThread(loader) => Self::OfOneThread(loader.name(name).before_flush(before)),
        }
    }

    pub(crate) async fn load(&self, key: i64) -> Result<V, BatchError> {
        match self {
            Self::OfAllThreads(loader) => loader.load(key).await,
            Self::OfOneThread(loader) => loader.load(key).await,
        }
    }
}
