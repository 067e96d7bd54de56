//! GraphQL on tokio: artists of the Chinook database with their albums, the tracks, and their genres,
//! in four statements for any number of artists.
//!
//! `cargo run -p asynq-http-examples --bin graphql [ADDRESS]` prints where it listens, and then each
//! statement that it sends. A browser shows GraphiQL there; ask for
//! `{ artists(first: 50) { name albums { title tracks { name genre { name } } } } }`.
//!
//! Read `schema.rs` first: each resolver asks for one thing. `loaders.rs` has what they ask.
#![forbid(unsafe_code)]

mod loaders;
mod schema;

use std::env;

use async_graphql::http::GraphiQLSource;
use async_graphql::{Request, Response};
use asynq::BoxError;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::schema::{Music, music};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    let graphiql = Html(GraphiQLSource::build().finish());
    let routes = Router::new().route("/", get(async || graphiql).post(graphql)).with_state(music());
    Ok(axum::serve(listener, routes).await?)
}

async fn graphql(State(music): State<Music>, Json(request): Json<Request>) -> Json<Response> {
    Json(music.execute(request).await)
}

#[cfg(test)]
mod tests {
    use super::loaders::{ALBUMS, ARTISTS, GENRE, TRACKS};
    use super::*;

    // The schema alone: over HTTP, nobody knows which request comes first.
    #[tokio::test]
    async fn two_requests_share_the_statements() {
        let requests = [2, 3].map(|first| {
            let music = music();
            let query = format!(
                "{{ artists(first: {first}) {{ name albums {{ title tracks {{ name genre {{ name }} }} }} }} }}"
            );
            tokio::spawn(async move { music.execute(query).await })
        });
        for request in requests {
            assert!(request.await.unwrap().is_ok());
        }
        let stats = [ARTISTS.stats(), ALBUMS.stats(), TRACKS.stats(), GENRE.stats()];
        assert_eq!(stats.map(|loader| loader.batches), [1; 4]);
    }
}
