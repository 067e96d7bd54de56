//! A server on axum: `GET /artists/{last}` gives the pages of the artists from 1 to `last`.

use std::sync::Arc;

use asynq::{BatchError, RequestLayer, try_all};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::try_join_all;
use sqlx::SqlitePool;

use crate::music::{Music, Page};
use crate::sqlx::slow_pages;

type Answer = Result<Json<Vec<Page>>, StatusCode>;

async fn slow(State(pool): State<SqlitePool>, Path(last): Path<i64>) -> Answer {
    let ids: Vec<i64> = (1..=last).collect();
    slow_pages(&pool, &ids).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn artists(State(music): State<Arc<Music>>, Path(last): Path<i64>) -> Answer {
    let pages = try_join_all((1..=last).map(|id| page(&music, id)));
    pages.await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn page(music: &Music, id: i64) -> Result<Page, BatchError> {
    let (name, albums) = try_all((music.name.load(id), music.albums.load(id))).await?;
    Ok(Page { name, albums })
}

/// The routes, each request of which is a request of asynq.
pub fn routes(pool: SqlitePool) -> Router {
    let music = Arc::new(crate::sqlx::music(pool.clone()));
    let slow = Router::new().route("/slow/{last}", get(slow)).with_state(pool);
    let artists = Router::new().route("/artists/{last}", get(artists)).with_state(music);
    slow.merge(artists).layer(RequestLayer)
}
