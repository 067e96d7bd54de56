//! `dataloader`.

use std::collections::HashMap;
use std::future::Future;

use dataloader::BatchFn;
use dataloader::cached::Loader;

use crate::programs::SendLoads;
use crate::store::Table;

impl BatchFn<u64, u64> for Table {
    async fn load(&mut self, keys: &[u64]) -> HashMap<u64, u64> {
        self.ask_for_map(keys)
    }
}

pub(super) struct Loaders {
    loaders: Vec<Loader<u64, u64, Table>>,
}

impl SendLoads for Loaders {
    const CACHES: bool = true;

    fn new(tables: &'static [Table]) -> Self {
        let loader = |&table| Loader::new(table).with_max_batch_size(usize::MAX);
        Self { loaders: tables.iter().map(loader).collect() }
    }

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64> + Send {
        self.loaders[source].load(key)
    }
}
