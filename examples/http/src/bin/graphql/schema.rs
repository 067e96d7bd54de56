//! Types and fields that clients can query. Each resolver is written for one artist, album or track.

use std::thread::LocalKey;

use async_graphql::{
    ComplexObject, EmptyMutation, EmptySubscription, Object, Schema, SimpleObject,
};
use asynq::loader::{Key, Load};
use asynq::{BatchError, Loader};
use send_wrapper::SendWrapper;

use crate::loaders::{ALBUMS, ARTISTS, GENRE, TRACKS};

pub(crate) type Music = Schema<Query, EmptyMutation, EmptySubscription>;

#[derive(Default)]
pub(crate) struct Query;

#[Object]
impl Query {
    /// So many artists.
    async fn artists(&self, first: u32) -> Result<Vec<Artist>, BatchError> {
        load(&ARTISTS, first).await
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Artist {
    #[graphql(skip)]
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[ComplexObject]
impl Artist {
    async fn albums(&self) -> Result<Vec<Album>, BatchError> {
        load(&ALBUMS, self.id).await
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Album {
    #[graphql(skip)]
    pub(crate) id: i64,
    pub(crate) title: String,
}

#[ComplexObject]
impl Album {
    async fn tracks(&self) -> Result<Vec<Track>, BatchError> {
        load(&TRACKS, self.id).await
    }
}

#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Track {
    pub(crate) name: String,
    #[graphql(skip)]
    pub(crate) genre_id: i64,
}

#[ComplexObject]
impl Track {
    async fn genre(&self) -> Result<Genre, BatchError> {
        load(&GENRE, self.genre_id).await
    }
}

#[derive(Clone, SimpleObject)]
pub(crate) struct Genre {
    pub(crate) name: String,
}

/// Asks a loader of this thread. A resolver has to be `Send`, and a load is not: the wrapper is, and
/// panics if another thread uses it, which does not happen in a pinned request.
fn load<K: Key, V: Clone>(
    loader: &'static LocalKey<Loader<K, V>>,
    key: K,
) -> SendWrapper<Load<K, V>> {
    SendWrapper::new(loader.with(|loader| loader.load(key)))
}
