//! Loaders of what a store holds, by the client library that its users know. Each store has a feature
//! of the name of that library.
//!
//! | store | feature | a loader of |
//! |---|---|---|
//! | `Sqlite` | `rusqlite` | rows of a table, by the values of a column |
//! | `Postgres` | `tokio-postgres` | the same |
//!
//! A store is a handle that may be cloned, and shared between threads. It connects when a batch goes
//! out. The loaders it makes are [`Loader`](crate::Loader)s like any other, each for one thread, with
//! all their settings. A batch is one request; what goes wrong with it is the error of each of its
//! loads, and the next batch begins anew.

#[cfg(feature = "tokio-postgres")]
mod explained;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod found;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod identifier;
#[cfg(feature = "tokio-postgres")]
mod postgres;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
mod rows_by;
#[cfg(feature = "tokio-postgres")]
mod runtime;
#[cfg(feature = "rusqlite")]
mod sqlite;

#[cfg(feature = "tokio-postgres")]
pub use self::postgres::Postgres;
#[cfg(any(feature = "rusqlite", feature = "tokio-postgres"))]
pub use self::rows_by::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sqlite::Sqlite;
