//! asynq's loaders in `asynq::request`, on a runtime of tokio.

use std::future::Future;

use asynq::Loader;

use crate::programs::Loads;
use crate::store::Table;

pub(super) struct Loaders {
    loaders: Vec<Loader<u64, u64>>,
}

impl Loads for Loaders {
    fn new(tables: &'static [Table]) -> Self {
        let loader = |&table: &Table| Loader::new(move |keys: Vec<u64>| table.ask(&keys));
        Self { loaders: tables.iter().map(loader).collect() }
    }

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64> {
        let load = self.loaders[source].load(key);
        async move { load.await.expect("there is a row for each key") }
    }

    fn request<F: Future>(future: F) -> impl Future<Output = F::Output> {
        asynq::request(future)
    }
}
