//! `batch-aint-one`.

use std::convert::Infallible;

use batch_aint_one::{Batcher, BatchingPolicy, Limits, Processor};

use crate::programs::SendLoads;
use crate::store::Table;

/// No request has more keys.
const MOST: usize = 1_000_000;

#[derive(Clone)]
pub(super) struct Tables(&'static [Table]);

impl Processor for Tables {
    type Key = usize;
    type Input = u64;
    type Output = u64;
    type Error = Infallible;
    type Resources = ();

    async fn acquire_resources(&self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    async fn process(
        &self,
        source: usize,
        keys: impl Iterator<Item = u64> + Send,
        (): (),
    ) -> Result<Vec<u64>, Infallible> {
        let keys: Vec<u64> = keys.collect();
        Ok(self.0[source].ask_once_each(keys.into_iter()))
    }
}

pub(super) struct Loaders {
    batcher: Batcher<Tables>,
}

impl SendLoads for Loaders {
    fn new(tables: &'static [Table]) -> Self {
        let limits = Limits::builder()
            .max_batch_size(MOST)
            .max_key_concurrency(1)
            .max_key_queued_items(MOST)
            .max_items_awaiting_worker(MOST);
        let batcher = Batcher::builder()
            .name("benchmark")
            .processor(Tables(tables))
            .limits(limits.build())
            .batching_policy(BatchingPolicy::Balanced { min_size_hint: MOST })
            .build();
        Self { batcher }
    }

    async fn load(&self, source: usize, key: u64) -> u64 {
        self.batcher.add(source, key).await.expect("there is a row for each key")
    }
}
