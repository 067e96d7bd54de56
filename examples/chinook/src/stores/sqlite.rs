//! The database itself.

use asynq::Loader;
use asynq::stores::Sqlite;

use crate::column::Column;
use crate::store::{Store, Value};

impl Store for Sqlite {
    fn loader<V: Value>(&self, Column { table, key, value }: Column) -> Loader<i64, V> {
        self.rows_by(table, key).columns([value]).one(|row| row.get(0))
    }
}
