use std::sync::Arc;

use asynq::request;
use asynq_recipes::music::pages;
use asynq_recipes::sea_orm::{music, rename, slow_pages};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};

use crate::database::{Database, all_pages};

fn connection(database: &Database) -> DatabaseConnection {
    SqlxSqliteConnector::from_sqlx_sqlite_pool(database.pool.clone())
}

#[tokio::test]
async fn a_relation_of_each_artist_is_the_n_plus_1() {
    let database = Database::new().await;
    assert_eq!(slow_pages(&connection(&database), &[1, 2, 3]).await.unwrap(), all_pages());
    assert_eq!(database.statements().await, 6);
}

#[tokio::test]
async fn loaders_send_two_statements() {
    let database = Database::new().await;
    let connection = Arc::new(connection(&database));
    assert_eq!(pages(&music(&connection), &[1, 2, 3]).await.unwrap(), all_pages());
    assert_eq!(database.statements().await, 2);
}

#[tokio::test]
async fn loaders_of_a_transaction_see_its_changes() {
    let database = Database::new().await;
    assert_eq!(rename(&connection(&database), 1, "ACDC").await.unwrap(), "ACDC");
}

#[tokio::test]
async fn a_transaction_that_loaders_have_read_is_committed() {
    let database = Arc::new(connection(&Database::new().await));
    rename(&database, 1, "ACDC").await.unwrap();
    assert_eq!(request(music(&database).name.load(1)).await.unwrap(), "ACDC");
}
