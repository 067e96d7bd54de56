//! Schemas of async-graphql, one of types and one that is dynamic, with the same fields.

use std::sync::Arc;

use async_graphql::dynamic::{self, Field, FieldFuture, FieldValue, InputValue, TypeRef};
use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Schema, SchemaBuilder};
use asynq::{BatchError, RequestExtension};
use sqlx::SqlitePool;

use crate::music::Music;

pub struct SlowArtist(i64);

#[Object]
impl SlowArtist {
    async fn albums(&self, context: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        let albums = sqlx::query_scalar("SELECT title FROM album WHERE artist_id = ? ORDER BY id");
        Ok(albums.bind(self.0).fetch_all(context.data::<SqlitePool>()?).await?) // for each artist
    }
}

pub struct SlowQuery;

#[Object]
impl SlowQuery {
    async fn artists(&self, last: i64) -> Vec<SlowArtist> {
        (1..=last).map(SlowArtist).collect()
    }
}

pub struct Artist(i64);

#[Object]
impl Artist {
    async fn albums(&self, context: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        Ok(context.data::<Arc<Music>>()?.albums.load(self.0).await?)
    }
}

pub struct Query;

#[Object]
impl Query {
    async fn artists(&self, last: i64) -> Vec<Artist> {
        (1..=last).map(Artist).collect()
    }
}

/// The schema, whose operations are requests of asynq.
pub fn schema(music: Arc<Music>) -> Schema<Query, EmptyMutation, EmptySubscription> {
    let schema: SchemaBuilder<_, _, _> = Schema::build(Query, EmptyMutation, EmptySubscription);
    schema.data(music).extension(RequestExtension).finish()
}

/// The same schema, made while the program runs.
pub fn dynamic_schema(music: Arc<Music>) -> Result<dynamic::Schema, dynamic::SchemaError> {
    let titles = TypeRef::named_nn_list_nn(TypeRef::STRING);
    let albums = Field::new("albums", titles, |context| {
        FieldFuture::new(async move {
            let id = *context.parent_value.try_downcast_ref::<i64>()?;
            let albums = context.data::<Arc<Music>>()?.albums.load(id).await?;
            Ok(Some(FieldValue::list(albums.into_iter().map(FieldValue::value))))
        })
    });
    let artists = Field::new("artists", TypeRef::named_nn_list_nn("Artist"), |context| {
        FieldFuture::new(async move {
            let last = context.args.try_get("last")?.i64()?;
            Ok(Some(FieldValue::list((1..=last).map(FieldValue::owned_any))))
        })
    })
    .argument(InputValue::new("last", TypeRef::named_nn(TypeRef::INT)));

    dynamic::Schema::build("Query", None, None)
        .register(dynamic::Object::new("Query").field(artists))
        .register(dynamic::Object::new("Artist").field(albums))
        .data(music)
        .extension(RequestExtension)
        .finish()
}

/// The albums of an artist; clients do not see what the database says.
pub async fn albums(music: &Music, id: i64) -> Result<Vec<String>, async_graphql::Error> {
    let hidden = |_: BatchError| async_graphql::Error::new("the database does not answer");
    music.albums.load(id).await.map_err(hidden)
}
