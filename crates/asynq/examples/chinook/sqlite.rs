//! The store that asks the database.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use asynq::BoxError;
use rusqlite::types::{FromSql, Value};

use crate::database::Database;
use crate::lookup::{Column, Store};

pub(crate) struct Sqlite {
    database: Rc<Database>,
    sql: String,
}

impl Sqlite {
    pub(crate) fn new(database: Rc<Database>, Column { table, key, value }: Column) -> Self {
        // `rarray(?)` is one variable for any number of keys: SQLite limits how many variables
        // there may be, and one statement, prepared once, serves one key as well as thousands.
        let sql = format!(
            "SELECT {key}, {value} FROM {table} WHERE {key} IN rarray(?) AND {value} IS NOT NULL"
        );
        Self { database, sql }
    }
}

impl<V: FromSql> Store<V> for Sqlite {
    fn fetch(&self, keys: &BTreeSet<i64>) -> Result<HashMap<i64, V>, BoxError> {
        let keys: Vec<Value> = keys.iter().copied().map(Value::from).collect();
        self.database.rows(&self.sql, [Rc::new(keys)])
    }
}
