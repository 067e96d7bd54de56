use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use asynq_recipes::sqlx::music;
use asynq_recipes::tonic::rpc::music_client::MusicClient;
use asynq_recipes::tonic::rpc::music_server::{Music, MusicServer};
use asynq_recipes::tonic::{Ids, Slow, names, pages, serve, slow_names};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};

use crate::database::Database;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn connect(url: String) -> MusicClient<Channel> {
    MusicClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap())
}

/// A client of a server that counts its calls.
async fn counted(service: impl Music) -> (MusicClient<Channel>, Arc<AtomicUsize>) {
    let (listener, url) = listen().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = MusicServer::with_interceptor(service, move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(request)
    });
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (connect(url).await, calls)
}

#[tokio::test]
async fn a_method_with_a_statement_for_each_artist_is_the_n_plus_1() {
    let database = Database::new().await;
    let (mut client, _) = counted(Slow(database.pool.clone())).await;
    let answer = client.pages(Ids { ids: vec![1, 2, 3] }).await.unwrap().into_inner();
    assert_eq!((answer.pages.len(), database.statements().await), (3, 6));
}

#[tokio::test]
async fn a_method_that_loads_sends_two_statements() {
    let database = Database::new().await;
    let (listener, url) = listen().await;
    tokio::spawn(serve(music(database.pool.clone()), listener));
    let mut client = connect(url).await;
    let answer = client.pages(Ids { ids: vec![1, 2, 3] }).await.unwrap().into_inner();
    assert_eq!((answer.pages.len(), database.statements().await), (3, 2));
}

#[tokio::test]
async fn a_client_with_a_call_for_each_artist_is_the_n_plus_1() {
    let (client, calls) = counted(Slow(Database::new().await.pool)).await;
    assert_eq!(slow_names(client, &[1, 2, 3]).await.unwrap(), ["AC/DC", "Accept", "Aerosmith"]);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_client_that_loads_sends_one_call() {
    let (client, calls) = counted(Slow(Database::new().await.pool)).await;
    let names = names(&pages(client), &[1, 2, 3]).await.unwrap();
    assert_eq!(names, ["AC/DC", "Accept", "Aerosmith"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
