use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asynq::request;
use asynq_recipes::http_api::{client, name, name_per_token, names, slow_names};
use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Deadline that no test reaches.
const LONG: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Artists {
    ids: String,
}

/// The artists of a query string, named after the token of the request.
fn artists(query: &Artists, headers: &HeaderMap) -> axum::Json<Value> {
    let token = headers.get("authorization").map_or("artist", |token| token.to_str().unwrap());
    let artist =
        |id: &str| json!({"id": id.parse::<i64>().unwrap(), "name": format!("{token} {id}")});
    axum::Json(query.ids.split(',').map(artist).collect())
}

/// Address of an API that answers `503` to its first `busy` requests, and the number of its requests.
async fn api(busy: usize) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let answer = move |Query(query): Query<Artists>, headers: HeaderMap| async move {
        match counted.fetch_add(1, Ordering::Relaxed) {
            before if before < busy => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            _ => artists(&query, &headers).into_response(),
        }
    };
    (serve(Router::new().route("/artists", get(answer))).await, requests)
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    url
}

#[tokio::test]
async fn a_request_for_each_artist_is_the_n_plus_1() {
    let (url, requests) = api(0).await;
    let names = slow_names(&client("127.0.0.1").unwrap(), &url, &[1, 2, 3]).await.unwrap();
    assert_eq!(names, ["artist 1", "artist 2", "artist 3"]);
    assert_eq!(requests.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_loader_sends_one_request() {
    let (url, requests) = api(0).await;
    let name = name(client("127.0.0.1").unwrap(), url, LONG);
    assert_eq!(names(&name, &[1, 2, 3]).await.unwrap(), ["artist 1", "artist 2", "artist 3"]);
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let (url, requests) = api(2).await;
    let name = name(client("127.0.0.1").unwrap(), url, LONG);
    assert_eq!(names(&name, &[1, 2]).await.unwrap(), ["artist 1", "artist 2"]);
    assert_eq!(requests.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_server_that_stays_busy_is_an_error_of_each_key() {
    let (url, _) = api(usize::MAX).await;
    let name = name(client("127.0.0.1").unwrap(), url, LONG);
    let names = request(name.load_each([1, 2])).await;
    assert!(names.iter().all(|name| {
        name.as_ref().is_err_and(|error| error.to_string().contains("503 Service Unavailable"))
    }));
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_error_at_the_deadline() {
    let url = serve(Router::new().route("/artists", get(pending::<StatusCode>))).await;
    let name = name(client("127.0.0.1").unwrap(), url, Duration::from_millis(10));
    let error = request(name.load(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "batch name: key 1: no answer within 10ms");
}

#[tokio::test]
async fn each_token_is_sent_with_its_own_keys() {
    let (url, requests) = api(0).await;
    let name = name_per_token(client("127.0.0.1").unwrap(), url);
    let load = |token: &str, id| name.of(token.to_owned()).load(id);
    let loads = [load("ann", 1), load("bob", 2), load("ann", 3)];
    let names = request(asynq::try_all(loads.into_iter().collect::<Vec<_>>())).await.unwrap();
    assert_eq!(names, ["Bearer ann 1", "Bearer bob 2", "Bearer ann 3"]);
    assert_eq!(requests.load(Ordering::Relaxed), 2);
}
