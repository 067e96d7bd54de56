//! A gRPC service of tonic that loads, and a loader that calls it.

use asynq::{BatchError, Loader, RequestLayer, try_all};
use futures::future::try_join_all;
use sqlx::SqlitePool;
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use self::rpc::music_client::MusicClient;
use self::rpc::music_server::{Music as Service, MusicServer};
use crate::music::Music;
use crate::sqlx::slow_pages;

/// The client and the server that `build.rs` generates.
pub mod rpc {
    tonic::include_proto!("music.Music");
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Ids {
    #[prost(int64, repeated, tag = "1")]
    pub ids: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Page {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub albums: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Pages {
    #[prost(message, repeated, tag = "1")]
    pub pages: Vec<Page>,
}

pub struct Slow(pub SqlitePool);

#[tonic::async_trait]
impl Service for Slow {
    async fn pages(&self, request: Request<Ids>) -> Result<Response<Pages>, Status> {
        let pages = slow_pages(&self.0, &request.into_inner().ids).await;
        let pages = pages.map_err(|_| Status::internal("the database does not answer"))?;
        let pages = pages.into_iter().map(|page| Page { name: page.name, albums: page.albums });
        Ok(Response::new(Pages { pages: pages.collect() }))
    }
}

pub struct Server(pub Music);

#[tonic::async_trait]
impl Service for Server {
    async fn pages(&self, request: Request<Ids>) -> Result<Response<Pages>, Status> {
        let ids = request.into_inner().ids;
        let pages = try_join_all(ids.into_iter().map(|id| page(&self.0, id))).await;
        let pages = pages.map_err(|_| Status::internal("the database does not answer"))?;
        Ok(Response::new(Pages { pages }))
    }
}

async fn page(music: &Music, id: i64) -> Result<Page, BatchError> {
    let (name, albums) = try_all((music.name.load(id), music.albums.load(id))).await?;
    Ok(Page { name, albums })
}

/// Answers calls, each of which is a request of asynq.
pub async fn serve(music: Music, listener: TcpListener) -> Result<(), tonic::transport::Error> {
    let server = tonic::transport::Server::builder().layer(RequestLayer);
    let server = { server }.add_service(MusicServer::new(Server(music)));
    server.serve_with_incoming(TcpIncoming::from(listener)).await
}

pub async fn slow_names(client: MusicClient<Channel>, ids: &[i64]) -> Result<Vec<String>, Status> {
    let mut names = Vec::new();
    for &id in ids {
        let answer = client.clone().pages(Ids { ids: vec![id] }).await?; // a call for each artist
        names.extend(answer.into_inner().pages.into_iter().map(|page| page.name));
    }
    Ok(names)
}

/// The pages of a server, one call for all keys.
pub fn pages(client: MusicClient<Channel>) -> Loader<i64, Page> {
    Loader::new(move |ids: Vec<i64>| {
        let mut client = client.clone();
        async move { client.pages(Ids { ids }).await.map(|answer| answer.into_inner().pages) }
    })
    .name("pages")
}

pub async fn names(pages: &Loader<i64, Page>, ids: &[i64]) -> Result<Vec<String>, BatchError> {
    let pages = asynq::request(pages.load_many(ids.iter().copied())).await?;
    Ok(pages.into_iter().map(|page| page.name).collect())
}
