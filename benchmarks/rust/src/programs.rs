//! The programs as one writes them on anything that has futures: the same for all peers.

use std::future::Future;

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{unconstrained, yield_now};

use crate::peers::Program;
use crate::store::{self, Table};
use crate::workload::{CALLS, SOURCES, UNEVEN_DEPTHS, UNEVEN_TASKS, WAYS, Workload};

/// Sources that are asked for one key at a time.
pub(crate) trait Loads: Sized + 'static {
    /// A source for each of these.
    fn new(tables: &'static [Table]) -> Self;

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64>;

    /// The least that gives way to others.
    fn pause() -> impl Future<Output = ()> {
        yield_now()
    }

    fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(future)
    }

    /// What a whole request has to run in.
    fn request<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// The programs of a peer, on a runtime of one thread.
pub(crate) fn program<L: Loads>(workload: Workload) -> Program {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    match workload {
        Workload::FanOut(size) => Box::new(move || request::<L, _>(&runtime, fan_out::<L>(size))),
        Workload::Uneven => Box::new(move || request::<L, _>(&runtime, uneven::<L>())),
        Workload::Staggered => Box::new(move || request::<L, _>(&runtime, staggered::<L>())),
        Workload::Call => {
            Box::new(move || CALLS.map(|key| request::<L, _>(&runtime, look_up(key))).collect())
        }
    }
}

/// Unconstrained: where a peer's channels use up the budget that tokio gives a task, each child of a
/// `join_all` would be polled in vain from then on.
fn request<L: Loads, F: Future>(runtime: &Runtime, future: F) -> F::Output {
    L::block_on(runtime, unconstrained(L::request(future)))
}

async fn fan_out<L: Loads>(size: usize) -> Vec<u64> {
    let loads = L::new(&[Table::Authors, Table::Names]);
    join_all(store::answers(size).map(|answer| name_of_author(&loads, answer))).await
}

async fn name_of_author<L: Loads>(loads: &L, answer: u64) -> u64 {
    let user = loads.load(0, answer).await;
    loads.load(1, user).await
}

async fn uneven<L: Loads>() -> Vec<u64> {
    let loads = L::new(&[Table::Numbers]);
    join_all((0..UNEVEN_TASKS).map(|key| load_behind(&loads, key % UNEVEN_DEPTHS, key))).await
}

async fn load_behind<L: Loads>(loads: &L, depth: u64, key: u64) -> u64 {
    for _ in 0..depth {
        L::pause().await;
    }
    loads.load(0, key).await
}

async fn staggered<L: Loads>() -> Vec<u64> {
    let loads = L::new(&[Table::Numbers; SOURCES]);
    join_all(WAYS.iter().map(|way| walk(&loads, way))).await
}

async fn walk<L: Loads>(loads: &L, way: &[(usize, u64)]) -> u64 {
    let mut total = 0;
    for &(source, key) in way {
        total += loads.load(source, key).await;
    }
    total
}

#[expect(clippy::unused_async, reason = "this is what is measured")]
async fn look_up(key: u64) -> u64 {
    Table::Numbers.look_up(key)
}
