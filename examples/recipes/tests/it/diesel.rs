use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use asynq_recipes::diesel::{Connections, artist, music, rename, slow_pages};
use asynq_recipes::music::pages;
use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::r2d2::ConnectionManager;

use crate::database::{MUSIC, all_pages};

/// A connection to a database in memory, and the number of its statements.
fn connection() -> (SqliteConnection, Arc<AtomicUsize>) {
    let mut connection = SqliteConnection::establish(":memory:").unwrap();
    let statements = count(&mut connection);
    (connection, statements)
}

fn count(connection: &mut SqliteConnection) -> Arc<AtomicUsize> {
    connection.batch_execute(MUSIC).unwrap();
    let statements = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&statements);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { .. } = event {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    statements
}

#[test]
fn a_statement_for_each_artist_is_the_n_plus_1() {
    let (mut connection, statements) = connection();
    assert_eq!(slow_pages(&mut connection, &[1, 2, 3]).unwrap(), all_pages());
    assert_eq!(statements.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn loaders_send_two_statements() {
    let manager = ConnectionManager::new(":memory:");
    let pool = Connections::builder().max_size(1).test_on_check_out(false).build(manager).unwrap();
    let statements = count(&mut pool.get().unwrap());
    assert_eq!(pages(&music(pool), &[1, 2, 3]).await.unwrap(), all_pages());
    assert_eq!(statements.load(Ordering::Relaxed), 2);
}

#[test]
fn loaders_of_a_connection_see_its_transaction() {
    let connection = Arc::new(Mutex::new(connection().0));
    assert_eq!(rename(&connection, 1, "ACDC").unwrap(), "ACDC");
}

#[test]
fn a_transaction_that_loaders_have_read_is_committed() {
    let connection = Arc::new(Mutex::new(connection().0));
    rename(&connection, 1, "ACDC").unwrap();
    let names = artist::table.select(artist::name).order(artist::id);
    assert_eq!(names.first::<String>(&mut *connection.lock().unwrap()).unwrap(), "ACDC");
}
