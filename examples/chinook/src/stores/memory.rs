//! Tables that were read beforehand.

use std::collections::HashMap;
use std::sync::Arc;

use asynq::{BoxError, Loader};

use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::database::Database;
use crate::store::Store;
use crate::value::Value;

/// The values of each table, as texts.
pub(crate) struct Memory {
    tables: HashMap<&'static str, Arc<HashMap<i64, String>>>,
}

impl Memory {
    pub(crate) fn read(database: &Database) -> Result<Self, BoxError> {
        let table = |column: Column| Ok((column.table, Arc::new(column.read(database)?)));
        let tables = Column::ALL.into_iter().map(table).collect::<Result<_, BoxError>>()?;
        Ok(Self { tables })
    }
}

impl Store for Memory {
    fn loader<V: Value>(&self, column: Column) -> AnyLoader<V> {
        let table = Arc::clone(&self.tables[column.table]);
        AnyLoader::OfAllThreads(Loader::try_new(move |keys: Vec<i64>| {
            let value = |key| Some((key, table.get(&key)?.parse()));
            keys.into_iter().filter_map(value).collect::<HashMap<_, _>>()
        }))
    }
}
