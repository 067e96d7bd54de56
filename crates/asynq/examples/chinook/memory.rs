//! The store that has read its whole column beforehand.

use std::collections::{BTreeSet, HashMap};

use asynq::BoxError;
use rusqlite::types::FromSql;

use crate::database::Database;
use crate::lookup::{Column, Store};

pub(crate) struct Memory<V> {
    values: HashMap<i64, V>,
}

impl<V: FromSql> Memory<V> {
    pub(crate) fn load(
        database: &Database,
        Column { table, key, value }: Column,
    ) -> Result<Self, BoxError> {
        let sql = format!("SELECT {key}, {value} FROM {table} WHERE {value} IS NOT NULL");
        Ok(Self { values: database.rows(&sql, [])? })
    }
}

impl<V: Clone> Store<V> for Memory<V> {
    fn fetch(&self, keys: &BTreeSet<i64>) -> Result<HashMap<i64, V>, BoxError> {
        let known = |&key| self.values.get(&key).map(|value| (key, value.clone()));
        Ok(keys.iter().filter_map(known).collect())
    }
}
