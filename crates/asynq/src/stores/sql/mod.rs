//! Loaders of rows: a statement for the keys of a batch, and its rows sorted by key.

#[cfg(feature = "tokio-postgres")]
mod error_chain;
mod identifier;
mod key_columns;
#[cfg(feature = "tokio-postgres")]
mod postgres;
#[cfg(feature = "tokio-postgres")]
mod postgres_key;
mod rows_by;
mod rows_by_key;
#[cfg(feature = "rusqlite")]
mod sqlite;
#[cfg(feature = "rusqlite")]
mod sqlite_key;

pub use self::key_columns::{Columns, KeyColumns, OneColumn};
#[cfg(feature = "tokio-postgres")]
pub use self::postgres::Postgres;
#[cfg(feature = "tokio-postgres")]
pub use self::postgres_key::PostgresKey;
pub use self::rows_by::RowsBy;
#[cfg(feature = "rusqlite")]
pub use self::sqlite::Sqlite;
#[cfg(feature = "rusqlite")]
pub use self::sqlite_key::SqliteKey;
