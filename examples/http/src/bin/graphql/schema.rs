//! Types and fields that clients can query. Each resolver is written for one artist, album or track.

use async_graphql::{
    ComplexObject, EmptyMutation, EmptySubscription, Object, Schema, SimpleObject,
};
use asynq::{BatchError, RequestExtension};

use crate::loaders::{ALBUMS, ARTISTS, GENRE, TRACKS};

pub(crate) type Music = Schema<Query, EmptyMutation, EmptySubscription>;

/// The schema, whose operations are requests.
pub(crate) fn music() -> Music {
    Schema::build(Query, EmptyMutation, EmptySubscription).extension(RequestExtension).finish()
}

pub(crate) struct Query;

#[Object]
impl Query {
    /// So many artists.
    async fn artists(&self, first: u32) -> Result<Vec<Artist>, BatchError> {
        ARTISTS.load(first).await
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
        ALBUMS.load(self.id).await
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
        TRACKS.load(self.id).await
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
        GENRE.load(self.genre_id).await
    }
}

#[derive(Clone, SimpleObject)]
pub(crate) struct Genre {
    pub(crate) name: String,
}
