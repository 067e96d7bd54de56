//! A value of a column.

use std::error::Error;
use std::str::FromStr;

use rusqlite::types::FromSql;
#[cfg(feature = "servers")]
use tokio_postgres::types::FromSqlOwned;

/// Stands for the trait of `tokio_postgres`, in a demo without servers.
#[cfg(not(feature = "servers"))]
pub(crate) trait FromSqlOwned {}

#[cfg(not(feature = "servers"))]
impl<V> FromSqlOwned for V {}

/// A value of a column, as each of the stores can have it.
pub(crate) trait Value:
    FromSql + FromSqlOwned + FromStr<Err: Error + Send + Sync> + Clone + Send + 'static
{
}

impl<V> Value for V where
    V: FromSql + FromSqlOwned + FromStr<Err: Error + Send + Sync> + Clone + Send + 'static
{
}
