//! Loaders of what a store holds, by the client library that its users know. Each store has a feature.
//!
//! | store | feature | a loader of |
//! |---|---|---|
//! | `Sqlite` | `rusqlite` | rows of a table, by the values of a column |
//! | `Postgres` | `tokio-postgres` | the same |
//! | `Redis` | `redis`, for clusters `redis-cluster` | gets, sets and other commands; a cache |
//! | `Memcached` | `memcached` | gets, sets and deletes; a cache |
//!
//! Databases are handles that may be cloned, and shared between threads. The loaders they make are
//! [`Loader`](crate::Loader)s like any other, each for one thread, with all their settings. A key-value
//! store is itself for one thread, like a loader; its methods are those of `KeyValue`.
//!
//! A store connects when a batch goes out. A batch is one request; what goes wrong with it is the error
//! of each of its loads, and the next batch begins anew.

#[cfg(any(feature = "redis", feature = "memcached"))]
mod asked;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod cached;
#[cfg(feature = "tokio-postgres")]
mod explained;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod found;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod identifier;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod key_value;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod operation;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod operations;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod plain_key;
#[cfg(feature = "tokio-postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod rows_by;
#[cfg(any(feature = "tokio-postgres", feature = "redis", feature = "memcached"))]
mod runtime;
#[cfg(feature = "rusqlite")]
mod sqlite;

#[cfg(any(feature = "redis", feature = "memcached"))]
pub use self::asked::Asked;
#[cfg(any(feature = "redis", feature = "memcached"))]
pub use self::cached::{Cached, Codec, Json, JsonOk};
#[cfg(any(feature = "redis", feature = "memcached"))]
pub use self::key_value::KeyValue;
#[cfg(feature = "memcached")]
pub use self::memcached::Memcached;
#[cfg(feature = "tokio-postgres")]
pub use self::postgres::Postgres;
#[cfg(feature = "redis")]
pub use self::redis::Redis;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
pub use self::rows_by::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sqlite::Sqlite;
