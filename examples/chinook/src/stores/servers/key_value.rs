//! Values by keys, on a server: `Track:1` is the album of track 1.

use std::collections::HashMap;

use asynq::stores::{KeyValue, Memcached, Redis};
use asynq::{BoxError, FutureBase, LocalLoader, try_all};

use super::Served;
use crate::any_loader::AnyLoader;
use crate::column::Column;
use crate::database::Database;
use crate::store::Store;
use crate::value::Value;

impl Store for Redis {
    fn loader<V: Value>(&self, column: Column) -> AnyLoader<V> {
        loader(self, column)
    }
}

impl Served for Redis {
    fn connect(address: &str) -> Result<Self, BoxError> {
        Ok(Self::open(address)?)
    }

    fn fill(address: &str, database: &Database) -> Result<(), BoxError> {
        fill(&Self::connect(address)?, database)
    }
}

impl Store for Memcached {
    fn loader<V: Value>(&self, column: Column) -> AnyLoader<V> {
        loader(self, column)
    }
}

impl Served for Memcached {
    fn connect(address: &str) -> Result<Self, BoxError> {
        Ok(Self::open([address]))
    }

    fn fill(address: &str, database: &Database) -> Result<(), BoxError> {
        fill(&Self::connect(address)?, database)
    }
}

fn loader<S, V>(store: &S, column: Column) -> AnyLoader<V>
where
    S: KeyValue + Clone + 'static,
    V: Value,
{
    let store = store.clone();
    AnyLoader::OfOneThread(LocalLoader::new(move |keys: Vec<i64>| {
        let values = try_all(keys.iter().map(|&key| store.get(name(column, key))));
        async move {
            let mut found = HashMap::new();
            for (key, value) in keys.into_iter().zip(values.await?) {
                if let Some(value) = value {
                    found.insert(key, String::from_utf8(value)?.parse()?);
                }
            }
            Ok::<_, BoxError>(found)
        }
    }))
}

fn fill(store: &impl KeyValue, database: &Database) -> Result<(), BoxError> {
    for column in Column::ALL {
        let values = column.read(database)?;
        let set = |(key, value)| store.set(name(column, key), value);
        try_all(values.into_iter().map(set)).value()?;
    }
    Ok(())
}

fn name(column: Column, key: i64) -> String {
    format!("{}:{key}", column.table)
}
