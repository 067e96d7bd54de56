//! `async_dataloader`.

use std::future::Future;

use async_dataloader::{BatchLoad, batched, def_batch_loader};

use crate::programs::Loads;
use crate::store::Table;

def_batch_loader! {
    async fn author(answers: u64) -> u64 {
        once_each(Table::Authors, answers)
    }
}

def_batch_loader! {
    async fn name(users: u64) -> u64 {
        once_each(Table::Names, users)
    }
}

fn once_each(table: Table, keys: impl Iterator<Item = Box<u64>>) -> std::vec::IntoIter<u64> {
    let keys: Vec<u64> = keys.map(|key| *key).collect();
    table.ask_once_each(keys.into_iter()).into_iter()
}

type Load = fn(u64) -> BatchLoad<u64, u64>;

/// The fifty sources of numbers, each a function of its own.
macro_rules! numbers {
    ($($name:ident)*) => {
        &[$({
            def_batch_loader! {
                async fn $name(keys: u64) -> u64 {
                    // Each its own code: the library tells functions apart by their address.
                    std::hint::black_box(stringify!($name));
                    once_each(Table::Numbers, keys)
                }
            }
            $name as Load
        }),*]
    };
}

static NUMBERS: &[Load] = numbers! {
    n00 n01 n02 n03 n04 n05 n06 n07 n08 n09 n10 n11 n12 n13 n14 n15 n16 n17 n18 n19
    n20 n21 n22 n23 n24 n25 n26 n27 n28 n29 n30 n31 n32 n33 n34 n35 n36 n37 n38 n39
    n40 n41 n42 n43 n44 n45 n46 n47 n48 n49
};

pub(super) struct Loaders {
    loads: Vec<Load>,
}

impl Loads for Loaders {
    fn new(tables: &'static [Table]) -> Self {
        let load = |(place, table): (usize, &Table)| match table {
            Table::Authors => author as Load,
            Table::Names => name as Load,
            Table::Numbers => NUMBERS[place],
        };
        Self { loads: tables.iter().enumerate().map(load).collect() }
    }

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64> {
        let load = self.loads[source](key);
        async move { *load.await }
    }

    fn request<F: Future>(future: F) -> impl Future<Output = F::Output> {
        batched(future)
    }
}
