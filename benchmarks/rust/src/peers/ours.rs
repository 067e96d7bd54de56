//! The programs on asynq.

use std::rc::Rc;
use std::thread;

use asynq::loader::Load;
use asynq::{
    Batch, BatchError, BatchItem, FutureBase, Items, Loader, Pool, Source, all, asynq, request,
    try_all,
};
use tokio::runtime::Builder;

use super::Program;
use crate::polls::counted;
use crate::store::{self, Table};
use crate::threads::{self, Spread};
use crate::workload::{
    CALLS, NESTED_CALLS, REQUEST, REQUESTS, SLEEP, SLOW_SOURCES, SOURCES, UNEVEN_DEPTHS,
    UNEVEN_TASKS, WAYS, Workload,
};

/// The loads of the programs.
pub(super) trait Ask: 'static {
    type Load: FutureBase<Output = Result<u64, BatchError>>;
    type SlowLoad: FutureBase<Output = Result<u64, BatchError>>;

    fn author(answer: u64) -> Self::Load;
    fn name(user: u64) -> Self::Load;
    fn number(source: usize, key: u64) -> Self::Load;
    /// Loads from a source that sleeps.
    fn slow(source: usize, key: u64) -> Self::SlowLoad;
}

/// Batches by hand.
pub(super) enum Batches {}

impl Batch for Table {
    type Key = u64;
    type Value = u64;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        let answers = self.ask_once_each(items.keys().iter().copied());
        for (item, answer) in items.iter().zip(answers) {
            item.set_value(answer);
        }
    }
}

/// A source whose batches take their time.
pub(super) struct Sleeper;

impl Sleeper {
    fn ask(keys: &[u64]) -> Vec<u64> {
        thread::sleep(SLEEP);
        Table::Numbers.ask(keys)
    }
}

impl Batch for Sleeper {
    type Key = u64;
    type Value = u64;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        let keys: Vec<u64> = items.keys().to_vec();
        for (item, answer) in items.iter().zip(Self::ask(&keys)) {
            item.set_value(answer);
        }
    }
}

thread_local! {
    static AUTHORS: Source<Table> = Source::new(Table::Authors);
    static NAMES: Source<Table> = Source::new(Table::Names);
    static NUMBERS: Vec<Source<Table>> =
        (0..SOURCES).map(|_| Source::new(Table::Numbers)).collect();
    static SLOW: Vec<Source<Sleeper>> =
        (0..SLOW_SOURCES).map(|_| Source::new(Sleeper)).collect();
}

impl Ask for Batches {
    type Load = BatchItem<Table>;
    type SlowLoad = BatchItem<Sleeper>;

    fn author(answer: u64) -> Self::Load {
        AUTHORS.with(|source| source.item(answer))
    }

    fn name(user: u64) -> Self::Load {
        NAMES.with(|source| source.item(user))
    }

    fn number(source: usize, key: u64) -> Self::Load {
        NUMBERS.with(|sources| sources[source].item(key))
    }

    fn slow(source: usize, key: u64) -> Self::SlowLoad {
        SLOW.with(|sources| sources[source].item(key))
    }
}

/// Loaders of the same tables. The slow ones are declared blocking.
pub(super) enum Loaders {}

thread_local! {
    static AUTHOR: Loader<u64, u64> = loader(Table::Authors);
    static NAME: Loader<u64, u64> = loader(Table::Names);
    static NUMBER: Vec<Loader<u64, u64>> = (0..SOURCES).map(|_| loader(Table::Numbers)).collect();
    static SLEEPER: Vec<Loader<u64, u64>> = (0..SLOW_SOURCES)
        .map(|_| Loader::blocking(|keys: Vec<u64>| Sleeper::ask(&keys)))
        .collect();
}

fn loader(table: Table) -> Loader<u64, u64> {
    Loader::new(move |keys: Vec<u64>| table.ask(&keys))
}

impl Ask for Loaders {
    type Load = Load<u64, u64>;
    type SlowLoad = Load<u64, u64>;

    fn author(answer: u64) -> Self::Load {
        AUTHOR.with(|loader| loader.load(answer))
    }

    fn name(user: u64) -> Self::Load {
        NAME.with(|loader| loader.load(user))
    }

    fn number(source: usize, key: u64) -> Self::Load {
        NUMBER.with(|loaders| loaders[source].load(key))
    }

    fn slow(source: usize, key: u64) -> Self::SlowLoad {
        SLEEPER.with(|loaders| loaders[source].load(key))
    }
}

#[asynq]
async fn name_of_author<A: Ask>(answer: u64) -> u64 {
    let user = counted(A::author(answer)).await.expect("there is a row for each answer");
    counted(A::name(user)).await.expect("there is a row for each user")
}

#[asynq]
async fn at_once() {}

#[asynq]
async fn load_behind<A: Ask>(depth: u64, key: u64) -> u64 {
    for _ in 0..depth {
        at_once::asynq().await;
    }
    A::number(0, key).await.expect("there is a row for each key")
}

#[asynq]
async fn outer<A: Ask>(key: u64) -> u64 {
    inner::asynq::<A>(key).await
}

#[asynq]
async fn inner<A: Ask>(key: u64) -> u64 {
    A::number(0, key).await.expect("there is a row for each key")
}

#[asynq]
async fn walk<A: Ask>(way: &'static [(usize, u64)]) -> u64 {
    let mut total = 0;
    for &(source, key) in way {
        total += A::number(source, key).await.expect("there is a row for each key");
    }
    total
}

#[asynq]
async fn look_up(key: u64) -> u64 {
    Table::Numbers.look_up(key)
}

pub(super) fn program<A: Ask>(workload: Workload) -> Option<Program> {
    Some(match workload {
        Workload::FanOut(size) => {
            Box::new(move || all(store::answers(size).map(name_of_author::asynq::<A>)).value())
        }
        Workload::Requests => return None,
        Workload::Uneven => Box::new(|| {
            let load = |key| load_behind::asynq::<A>(key % UNEVEN_DEPTHS, key);
            all((0..UNEVEN_TASKS).map(load)).value()
        }),
        Workload::Nested => Box::new(|| all((0..NESTED_CALLS).map(outer::asynq::<A>)).value()),
        Workload::Staggered => {
            Box::new(|| all(WAYS.iter().map(|way| walk::asynq::<A>(way))).value())
        }
        Workload::Call => Box::new(|| CALLS.map(look_up).collect()),
        Workload::Overlap => Box::new(|| {
            try_all((0..SLOW_SOURCES).map(|source| A::slow(source, source as u64)))
                .value()
                .expect("there is a row for each key")
        }),
    })
}

/// The same programs on loaders, in requests on tokio's current-thread runtime.
pub(super) fn in_requests(workload: Workload) -> Option<Program> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    Some(match workload {
        Workload::FanOut(size) => Box::new(move || {
            let names = || all(store::answers(size).map(name_of_author::asynq::<Loaders>));
            runtime.block_on(request(async { names().await }))
        }),
        Workload::Requests | Workload::Overlap => return None,
        Workload::Uneven => Box::new(move || {
            let load = |key| load_behind::asynq::<Loaders>(key % UNEVEN_DEPTHS, key);
            runtime.block_on(request(async { all((0..UNEVEN_TASKS).map(load)).await }))
        }),
        Workload::Nested => Box::new(move || {
            let calls = || all((0..NESTED_CALLS).map(outer::asynq::<Loaders>));
            runtime.block_on(request(async { calls().await }))
        }),
        Workload::Staggered => Box::new(move || {
            let walks = || all(WAYS.iter().map(|way| walk::asynq::<Loaders>(way)));
            runtime.block_on(request(async { walks().await }))
        }),
        Workload::Call => Box::new(move || {
            let call = |key| runtime.block_on(request(look_up::asynq(key)));
            CALLS.map(call).collect()
        }),
    })
}

/// From a runtime of many threads; what a request asks for, it asks for on one.
pub(super) fn on_threads(spread: Spread) -> Option<Program> {
    let runtime = threads::runtime();
    let pool = Pool::new(2);
    let of_size = move |size| {
        let pool = pool.clone();
        async move {
            let names = move || all(store::answers(size).map(name_of_author::asynq::<Batches>));
            pool.spawn_pinned(names).await.expect("no panic")
        }
    };
    Some(match spread {
        Spread::Together => Box::new(move || threads::run(&runtime, of_size(threads::SIZE))),
        Spread::Apart => return None,
        Spread::Requests => Box::new(move || {
            let requests = (0..REQUESTS).map(|_| of_size(REQUEST)).collect();
            threads::run(&runtime, threads::apart(requests)).concat()
        }),
    })
}
