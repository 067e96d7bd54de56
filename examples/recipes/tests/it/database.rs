//! A database in memory, and the number of its statements.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use asynq_recipes::music::Page;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqlitePool};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

pub(crate) const MUSIC: &str = include_str!("music.sql");

/// The pages of the three artists.
pub(crate) fn all_pages() -> Vec<Page> {
    [
        ("AC/DC", vec!["High Voltage", "Powerage"]),
        ("Accept", vec!["Breaker"]),
        ("Aerosmith", vec![]),
    ]
    .map(|(name, albums)| Page {
        name: name.to_owned(),
        albums: albums.into_iter().map(str::to_owned).collect(),
    })
    .into()
}

/// A pool of one connection to a database in memory. The connection has a thread, by whose name its statements are
/// counted.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    thread: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        LazyLock::force(&COUNTED);
        let thread = format!("database {}", OPENED.fetch_add(1, Ordering::Relaxed));
        let name = thread.clone();
        let options =
            SqliteConnectOptions::new().in_memory(true).thread_name(move |_| name.clone());
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        sqlx::raw_sql(MUSIC).execute(&pool).await.unwrap();
        let database = Self { pool, thread };
        database.statements().await;
        database
    }

    /// Number of statements since the last time.
    pub(crate) async fn statements(&self) -> usize {
        // The thread counts a statement before it answers the next command.
        self.pool.acquire().await.unwrap().ping().await.unwrap();
        STATEMENTS.lock().unwrap().remove(&self.thread).unwrap_or(0)
    }
}

static STATEMENTS: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

static COUNTED: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::registry().with(Count);
    tracing::subscriber::set_global_default(subscriber).unwrap();
});

struct Count;

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let thread = thread::current().name().unwrap_or_default().to_owned();
            *STATEMENTS.lock().unwrap().entry(thread).or_default() += 1;
        }
    }
}
