use asynq_recipes::axum::routes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::database::Database;

/// Answer of a server to `GET path`.
async fn answer(database: &Database, path: &str) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, routes(database.pool.clone())).into_future());
    let answer = reqwest::get(url).await.unwrap().json().await.unwrap();
    server.abort();
    answer
}

fn artists() -> Value {
    json!([
        {"name": "AC/DC", "albums": ["High Voltage", "Powerage"]},
        {"name": "Accept", "albums": ["Breaker"]},
        {"name": "Aerosmith", "albums": []},
    ])
}

#[tokio::test]
async fn a_handler_with_a_statement_for_each_artist_is_the_n_plus_1() {
    let database = Database::new().await;
    assert_eq!(answer(&database, "/slow/3").await, artists());
    assert_eq!(database.statements().await, 6);
}

#[tokio::test]
async fn a_handler_that_loads_sends_two_statements() {
    let database = Database::new().await;
    assert_eq!(answer(&database, "/artists/3").await, artists());
    assert_eq!(database.statements().await, 2);
}

#[tokio::test]
async fn a_request_reuses_no_value_of_the_request_before_it() {
    let database = Database::new().await;
    let before = answer(&database, "/artists/1").await;
    let rename = sqlx::query("UPDATE artist SET name = 'ACDC' WHERE id = 1");
    rename.execute(&database.pool).await.unwrap();
    let after = answer(&database, "/artists/1").await;
    assert_eq!((&before[0]["name"], &after[0]["name"]), (&json!("AC/DC"), &json!("ACDC")));
}
