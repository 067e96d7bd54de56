//! A server of PostgreSQL, with a copy of the three tables.

use asynq::BoxError;
use asynq::stores::Postgres;
use tokio::runtime;
use tokio_postgres::{Client, NoTls};

use super::Served;
use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::database::Database;
use crate::store::Store;
use crate::value::Value;

impl Store for Postgres {
    fn loader<V: Value>(&self, Column { table, key, value }: Column) -> AnyLoader<V> {
        let rows = self.rows_by(table, key).columns([value]);
        AnyLoader::OfAllThreads(rows.one(|row| row.try_get(0)))
    }
}

impl Served for Postgres {
    fn connect(config: &str) -> Result<Self, BoxError> {
        Ok(Self::open(config)?)
    }

    fn fill(config: &str, database: &Database) -> Result<(), BoxError> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(config, NoTls).await?;
            tokio::spawn(connection);
            for column in Column::ALL {
                copy(&client, database, column).await?;
            }
            Ok(())
        })
    }
}

async fn copy(client: &Client, database: &Database, column: Column) -> Result<(), BoxError> {
    let Column { table, key, value } = column;
    let sql_type = if column == Column::NAME_OF_ARTIST { "text" } else { "bigint" };
    let create =
        format!(r#"CREATE TABLE "{table}" ("{key}" bigint PRIMARY KEY, "{value}" {sql_type})"#);
    client.batch_execute(&create).await?;
    let rows = column.read(database)?;
    let (keys, values): (Vec<i64>, Vec<String>) = rows.into_iter().unzip();
    let insert = format!(
        r#"INSERT INTO "{table}" SELECT key, value::{sql_type}
           FROM unnest($1::bigint[], $2::text[]) AS row (key, value)"#
    );
    client.execute(&insert, &[&keys, &values]).await?;
    Ok(())
}
