//! The store that asks the database.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use asynq::BoxError;
use rusqlite::types::{FromSql, Value};

use crate::database::Database;
use crate::lookup::{Column, Store};

pub(crate) struct Sqlite {
    database: Rc<Database>,
    one: String,
    many: String,
}

impl Sqlite {
    pub(crate) fn new(database: Rc<Database>, Column { table, key, value }: Column) -> Self {
        let select = format!("SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL");
        Self {
            database,
            // What a program without batches would ask. One key in an `rarray` takes a quarter
            // longer, which would flatter the batches.
            one: format!("{select} AND {key} = ?"),
            // One variable for any number of keys: SQLite has a limit on variables.
            many: format!("{select} AND {key} IN rarray(?)"),
        }
    }
}

impl<V: FromSql> Store<V> for Sqlite {
    fn fetch(&self, keys: &BTreeSet<i64>) -> Result<HashMap<i64, V>, BoxError> {
        let keys: Vec<Value> = keys.iter().copied().map(Value::from).collect();
        match &keys[..] {
            [key] => self.database.rows(&self.one, [key]),
            _ => self.database.rows(&self.many, [Rc::new(keys)]),
        }
    }
}
