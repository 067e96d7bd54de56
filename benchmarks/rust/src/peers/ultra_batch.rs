//! `ultra-batch`.

use std::convert::Infallible;
use std::time::Duration;

use ultra_batch::{BatchFetcher, Cache, Fetcher};

use crate::programs::SendLoads;
use crate::store::Table;

impl Fetcher for Table {
    type Key = u64;
    type Value = u64;
    type Error = Infallible;

    async fn fetch(
        &self,
        keys: &[u64],
        values: &mut Cache<'_, u64, u64>,
    ) -> Result<(), Infallible> {
        for (&key, value) in keys.iter().zip(self.ask(keys)) {
            values.insert(key, value);
        }
        Ok(())
    }
}

pub(super) struct Loaders {
    fetchers: Vec<BatchFetcher<Table>>,
}

impl SendLoads for Loaders {
    const CACHES: bool = true;

    fn new(tables: &'static [Table]) -> Self {
        let fetcher = |&table| {
            BatchFetcher::build(table)
                .eager_batch_size(None)
                .delay_duration(Duration::from_millis(1))
                .finish()
        };
        Self { fetchers: tables.iter().map(fetcher).collect() }
    }

    async fn load(&self, source: usize, key: u64) -> u64 {
        self.fetchers[source].load(key).await.expect("there is a row for each key")
    }
}
