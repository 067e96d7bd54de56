//! The database itself.

use asynq::stores::Sqlite;

use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::store::Store;
use crate::value::Value;

impl Store for Sqlite {
    fn loader<V: Value>(&self, Column { table, key, value }: Column) -> AnyLoader<V> {
        let rows = self.rows_by(table, key).columns([value]);
        AnyLoader::OfAllThreads(rows.one(|row| row.get(0)))
    }
}
