//! Loaders of rows: a statement for the keys of a batch, and its rows sorted by key.

#[cfg(feature = "tokio-postgres")]
mod error_chain;
mod identifier;
#[cfg(feature = "tokio-postgres")]
mod postgres;
mod rows_by;
mod rows_by_key;
#[cfg(feature = "rusqlite")]
mod sqlite;

#[cfg(feature = "tokio-postgres")]
pub use self::postgres::Postgres;
pub use self::rows_by::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sqlite::Sqlite;
