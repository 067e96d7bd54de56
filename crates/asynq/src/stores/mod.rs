//! Loaders of what a store holds, by the client library that its users know. Each store has a feature
//! of the name of that library.
//!
//! | store | feature | a loader of |
//! |---|---|---|
//! | `Sqlite` | `rusqlite` | rows of a table, by the values of a column |
//!
//! A store is a handle that may be cloned, and shared between threads. It connects when a batch goes
//! out. The loaders it makes are [`Loader`](crate::Loader)s like any other, each for one thread, with
//! all their settings. A batch is one request; what goes wrong with it is the error of each of its
//! loads, and the next batch begins anew.

#[cfg(feature = "rusqlite")]
mod found;
#[cfg(feature = "rusqlite")]
mod identifier;
#[cfg(feature = "rusqlite")]
mod rows_by;
#[cfg(feature = "rusqlite")]
mod sqlite;

#[cfg(feature = "rusqlite")]
pub use self::rows_by::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sqlite::Sqlite;
