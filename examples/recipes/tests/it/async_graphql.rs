use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, Response, Schema};
use asynq_recipes::async_graphql::{SlowQuery, dynamic_schema, schema};
use asynq_recipes::sqlx::music;
use serde_json::{Value, json};

use crate::database::Database;

const QUERY: &str = "{ artists(last: 3) { albums } }";

fn albums(response: Response) -> Value {
    response.into_result().unwrap().data.into_json().unwrap()["artists"].clone()
}

fn all_albums() -> Value {
    json!([{"albums": ["High Voltage", "Powerage"]}, {"albums": ["Breaker"]}, {"albums": []}])
}

#[tokio::test]
async fn a_resolver_with_a_statement_is_the_n_plus_1() {
    let database = Database::new().await;
    let schema = Schema::build(SlowQuery, EmptyMutation, EmptySubscription);
    let schema = schema.data(database.pool.clone()).finish();
    assert_eq!(albums(schema.execute(QUERY).await), all_albums());
    assert_eq!(database.statements().await, 3);
}

#[tokio::test]
async fn resolvers_that_load_send_one_statement() {
    let database = Database::new().await;
    let schema = schema(Arc::new(music(database.pool.clone())));
    assert_eq!(albums(schema.execute(QUERY).await), all_albums());
    assert_eq!(database.statements().await, 1);
}

#[tokio::test]
async fn resolvers_of_a_dynamic_schema_send_one_statement() {
    let database = Database::new().await;
    let schema = dynamic_schema(Arc::new(music(database.pool.clone()))).unwrap();
    assert_eq!(albums(schema.execute(QUERY).await), all_albums());
    assert_eq!(database.statements().await, 1);
}

#[tokio::test]
async fn clients_do_not_see_what_the_database_says() {
    let database = Database::new().await;
    sqlx::query("DROP TABLE album").execute(&database.pool).await.unwrap();
    let error = asynq_recipes::async_graphql::albums(&music(database.pool), 1).await.unwrap_err();
    assert_eq!(error.message, "the database does not answer");
}
