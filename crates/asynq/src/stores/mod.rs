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
mod key_value;
#[cfg(any(feature = "tokio-postgres", feature = "redis", feature = "memcached"))]
mod runtime;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod sql;

#[cfg(feature = "memcached")]
pub use self::key_value::Memcached;
#[cfg(feature = "redis")]
pub use self::key_value::Redis;
#[cfg(any(feature = "redis", feature = "memcached"))]
pub use self::key_value::{Asked, Cached, Codec, Json, JsonOk, KeyValue};
#[cfg(feature = "tokio-postgres")]
pub use self::sql::Postgres;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
pub use self::sql::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sql::Sqlite;
