//! Loaders for databases and caches, by well-known client crates. Each store has a feature.
//!
//! | store | feature | loads |
//! |---|---|---|
//! | `Sqlite` | `rusqlite` | rows of a table, by the value of a column |
//! | `Postgres` | `tokio-postgres` | rows of a table, by the value of a column |
//! | `Redis` | `redis`, for clusters `redis-cluster` | gets, sets and other commands; a cache |
//! | `Memcached` | `memcached` | gets, sets and deletes; a cache |
//!
//! Databases are handles that can be cloned and shared between threads. They create
//! [`Loader`](crate::Loader)s, each for one thread, with all their settings. A key-value store belongs to
//! one thread, like a loader; its methods are those of `KeyValue`.
//!
//! The first batch connects. A batch is one request. If it fails, each of its loads fails, and the next
//! batch connects again.
//!
//! `run_io` runs I/O of one's own on the tokio runtime of the stores (feature `tokio`, or one of a store that
//! needs it).

#[cfg(any(feature = "redis", feature = "memcached"))]
mod key_value;
#[cfg(any(
    feature = "tokio",
    feature = "tokio-postgres",
    feature = "redis",
    feature = "memcached"
))]
mod runtime;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod sql;

#[cfg(feature = "memcached")]
pub use self::key_value::Memcached;
#[cfg(feature = "redis")]
pub use self::key_value::Redis;
#[cfg(any(feature = "redis", feature = "memcached"))]
pub use self::key_value::{Cached, Codec, Json, JsonOk, KeyValue, OperationFuture};
#[cfg(any(
    feature = "tokio",
    feature = "tokio-postgres",
    feature = "redis",
    feature = "memcached"
))]
pub use self::runtime::run_io;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
pub use self::sql::{Columns, KeyColumns, OneColumn, RowsBy};
#[cfg(feature = "tokio-postgres")]
pub use self::sql::{Postgres, PostgresKey};
#[cfg(feature = "rusqlite")]
pub use self::sql::{Sqlite, SqliteKey};
