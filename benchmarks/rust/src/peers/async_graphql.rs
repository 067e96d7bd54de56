//! The `DataLoader` of `async-graphql`.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::dataloader::{DataLoader, Loader};

use crate::programs::SendLoads;
use crate::store::Table;

impl Loader<u64> for Table {
    type Value = u64;
    type Error = Infallible;

    async fn load(&self, keys: &[u64]) -> Result<HashMap<u64, u64>, Infallible> {
        Ok(self.ask_for_map(keys))
    }
}

pub(super) struct Loaders {
    loaders: Vec<DataLoader<Table>>,
}

impl SendLoads for Loaders {
    fn new(tables: &'static [Table]) -> Self {
        let loader = |&table| DataLoader::new(table, tokio::spawn).max_batch_size(usize::MAX);
        Self { loaders: tables.iter().map(loader).collect() }
    }

    async fn load(&self, source: usize, key: u64) -> u64 {
        let Ok(value) = self.loaders[source].load_one(key).await;
        value.expect("there is a row for each key")
    }
}
