//! The programs as one writes them on anything that has futures: the same for all peers.

use std::future::Future;
use std::sync::Arc;

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{unconstrained, yield_now};

use crate::peers::Program;
use crate::polls::counted;
use crate::store::{self, Table};
use crate::workload::{CALLS, NESTED_CALLS, UNEVEN_DEPTHS, UNEVEN_TASKS, WAYS, Workload};

/// Sources that are asked for one key at a time.
pub(crate) trait Loads: Sized + 'static {
    /// Set if the implementation keeps values, so that each request needs an instance of its own.
    const CACHES: bool = false;

    /// A source for each of these. Called inside of the runtime.
    fn new(tables: &'static [Table]) -> Self;

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64>;

    /// The least that gives way to others.
    fn pause() -> impl Future<Output = ()> {
        yield_now()
    }

    fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(future)
    }

    /// Wraps a whole request in what the implementation needs around it.
    fn request<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// The loads of a program, for any thread.
pub(crate) trait SendLoads: Send + Sync + Sized + 'static {
    const CACHES: bool = false;

    fn new(tables: &'static [Table]) -> Self;

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64> + Send;
}

impl<L: SendLoads> Loads for L {
    const CACHES: bool = L::CACHES;

    fn new(tables: &'static [Table]) -> Self {
        SendLoads::new(tables)
    }

    fn load(&self, source: usize, key: u64) -> impl Future<Output = u64> {
        SendLoads::load(self, source, key)
    }
}

/// The programs of a peer, on a runtime of one thread.
pub(crate) fn program<L: Loads>(workload: Workload) -> Option<Program> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let peer = {
        let _inside = runtime.enter();
        Kept::<L>::new(workload.tables())
    };
    Some(match workload {
        Workload::FanOut(size) => Box::new(move || {
            L::block_on(&runtime, request::<L, _>(async { fan_out(&*peer.loads(), size).await }))
        }),
        Workload::Requests | Workload::Overlap => return None,
        Workload::Uneven => Box::new(move || {
            L::block_on(&runtime, request::<L, _>(async { uneven(&*peer.loads()).await }))
        }),
        Workload::Nested => Box::new(move || {
            L::block_on(&runtime, request::<L, _>(async { nested(&*peer.loads()).await }))
        }),
        Workload::Staggered => Box::new(move || {
            L::block_on(&runtime, request::<L, _>(async { staggered(&*peer.loads()).await }))
        }),
        Workload::Call => Box::new(move || {
            CALLS.map(|key| L::block_on(&runtime, request::<L, _>(look_up(key)))).collect()
        }),
    })
}

/// Loads that are used again in the next request, unless they cache.
pub(crate) struct Kept<L> {
    tables: &'static [Table],
    kept: Option<Arc<L>>,
}

impl<L> Clone for Kept<L> {
    fn clone(&self) -> Self {
        Self { tables: self.tables, kept: self.kept.clone() }
    }
}

impl<L: Loads> Kept<L> {
    pub(crate) fn new(tables: &'static [Table]) -> Self {
        Self { tables, kept: (!L::CACHES).then(|| Arc::new(L::new(tables))) }
    }

    /// Called inside of the runtime.
    pub(crate) fn loads(&self) -> Arc<L> {
        self.kept.clone().unwrap_or_else(|| Arc::new(L::new(self.tables)))
    }
}

/// Unconstrained: where a peer's channels use up the budget that tokio gives a task, each child of a
/// `join_all` would be polled in vain from then on.
fn request<L: Loads, F: Future>(future: F) -> impl Future<Output = F::Output> {
    unconstrained(L::request(future))
}

pub(crate) async fn fan_out<L: Loads>(loads: &L, size: usize) -> Vec<u64> {
    join_all(store::answers(size).map(|answer| name_of_author(loads, answer))).await
}

pub(crate) async fn name_of_author<L: Loads>(loads: &L, answer: u64) -> u64 {
    let user = counted(loads.load(0, answer)).await;
    counted(loads.load(1, user)).await
}

async fn uneven<L: Loads>(loads: &L) -> Vec<u64> {
    join_all((0..UNEVEN_TASKS).map(|key| load_behind(loads, key % UNEVEN_DEPTHS, key))).await
}

async fn load_behind<L: Loads>(loads: &L, depth: u64, key: u64) -> u64 {
    for _ in 0..depth {
        L::pause().await;
    }
    loads.load(0, key).await
}

async fn nested<L: Loads>(loads: &L) -> Vec<u64> {
    join_all((0..NESTED_CALLS).map(|key| outer(loads, key))).await
}

async fn outer<L: Loads>(loads: &L, key: u64) -> u64 {
    inner(loads, key).await
}

async fn inner<L: Loads>(loads: &L, key: u64) -> u64 {
    loads.load(0, key).await
}

async fn staggered<L: Loads>(loads: &L) -> Vec<u64> {
    join_all(WAYS.iter().map(|way| walk(loads, way))).await
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
