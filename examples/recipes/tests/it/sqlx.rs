use std::sync::Arc;

use asynq::request;
use asynq_recipes::music::pages;
use asynq_recipes::sqlx::{music, name_per_tenant, name_within, rename, slow_pages};
use tokio::sync::Mutex;

use crate::database::{Database, all_pages};

#[tokio::test]
async fn a_statement_for_each_artist_is_the_n_plus_1() {
    let database = Database::new().await;
    assert_eq!(slow_pages(&database.pool, &[1, 2, 3]).await.unwrap(), all_pages());
    assert_eq!(database.statements().await, 6);
}

#[tokio::test]
async fn loaders_send_two_statements() {
    let database = Database::new().await;
    let music = music(database.pool.clone());
    assert_eq!(pages(&music, &[1, 2, 3]).await.unwrap(), all_pages());
    assert_eq!(database.statements().await, 2);
}

#[tokio::test]
async fn a_missing_artist_is_an_error_that_names_it() {
    let database = Database::new().await;
    let error = pages(&music(database.pool), &[1, 7]).await.unwrap_err();
    assert_eq!(error.to_string(), "batch name: nothing came back for key 7");
}

#[tokio::test]
async fn loaders_of_a_transaction_see_its_changes() {
    let database = Database::new().await;
    assert_eq!(rename(&database.pool, 1, "ACDC").await.unwrap(), "ACDC");
}

#[tokio::test]
async fn a_transaction_that_loaders_have_read_is_committed() {
    let database = Database::new().await;
    rename(&database.pool, 1, "ACDC").await.unwrap();
    assert_eq!(request(music(database.pool).name.load(1)).await.unwrap(), "ACDC");
}

#[tokio::test]
async fn a_load_after_the_end_of_its_transaction_is_an_error() {
    let database = Database::new().await;
    let name = name_within(&Arc::new(Mutex::new(database.pool.begin().await.unwrap())));
    let error = request(name.load(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "batch name: key 1: the transaction has ended");
}

#[tokio::test]
async fn the_pool_does_not_see_a_transaction_that_was_rolled_back() {
    let database = Database::new().await;
    let mut transaction = database.pool.begin().await.unwrap();
    let rename = sqlx::query("UPDATE artist SET name = 'ACDC' WHERE id = 1");
    rename.execute(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(request(music(database.pool).name.load(1)).await.unwrap(), "AC/DC");
}

#[tokio::test]
async fn each_tenant_is_asked_in_a_database_of_its_own() {
    let (ours, theirs) = (Database::new().await, Database::new().await);
    let rename = sqlx::query("UPDATE artist SET name = 'ACDC' WHERE id = 1");
    rename.execute(&theirs.pool).await.unwrap();
    let name = name_per_tenant(move |tenant| match tenant {
        "ours" => ours.pool.clone(),
        _ => theirs.pool.clone(),
    });
    let load = |tenant: &str| name.of(tenant.to_owned()).load(1);
    let names = request(asynq::try_all((load("ours"), load("theirs")))).await.unwrap();
    assert_eq!(names, ("AC/DC".to_owned(), "ACDC".to_owned()));
}
