//! The programs on asynq.

use std::rc::Rc;

use asynq::{Batch, BatchItem, FutureBase, Items, Pool, Source, all, asynq};

use super::Program;
use crate::polls::counted;
use crate::store::{self, Table};
use crate::threads::{self, Spread};
use crate::workload::{
    CALLS, REQUEST, REQUESTS, SOURCES, UNEVEN_DEPTHS, UNEVEN_TASKS, WAYS, Workload,
};

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

thread_local! {
    static AUTHORS: Source<Table> = Source::new(Table::Authors);
    static NAMES: Source<Table> = Source::new(Table::Names);
    static NUMBERS: Vec<Source<Table>> =
        (0..SOURCES).map(|_| Source::new(Table::Numbers)).collect();
}

fn author(answer: u64) -> BatchItem<Table> {
    AUTHORS.with(|source| source.item(answer))
}

fn name(user: u64) -> BatchItem<Table> {
    NAMES.with(|source| source.item(user))
}

fn number(source: usize, key: u64) -> BatchItem<Table> {
    NUMBERS.with(|sources| sources[source].item(key))
}

#[asynq]
async fn name_of_author(answer: u64) -> u64 {
    let user = counted(author(answer)).await.expect("there is a row for each answer");
    counted(name(user)).await.expect("there is a row for each user")
}

#[asynq]
async fn at_once() {}

#[asynq]
async fn load_behind(depth: u64, key: u64) -> u64 {
    for _ in 0..depth {
        at_once::asynq().await;
    }
    number(0, key).await.expect("there is a row for each key")
}

#[asynq]
async fn walk(way: &'static [(usize, u64)]) -> u64 {
    let mut total = 0;
    for &(source, key) in way {
        total += number(source, key).await.expect("there is a row for each key");
    }
    total
}

#[asynq]
async fn look_up(key: u64) -> u64 {
    Table::Numbers.look_up(key)
}

pub(super) fn program(workload: Workload) -> Program {
    match workload {
        Workload::FanOut(size) => {
            Box::new(move || all(store::answers(size).map(name_of_author::asynq)).value())
        }
        Workload::Requests => unreachable!("only on threads"),
        Workload::Uneven => Box::new(|| {
            let load = |key| load_behind::asynq(key % UNEVEN_DEPTHS, key);
            all((0..UNEVEN_TASKS).map(load)).value()
        }),
        Workload::Staggered => Box::new(|| all(WAYS.iter().map(|way| walk::asynq(way))).value()),
        Workload::Call => Box::new(|| CALLS.map(look_up).collect()),
    }
}

/// From a runtime of many threads; what a request asks for, it asks for on one.
pub(super) fn on_threads(spread: Spread) -> Option<Program> {
    let runtime = threads::runtime();
    let pool = Pool::new(2);
    let request = move |size| {
        let pool = pool.clone();
        async move {
            let names = move || all(store::answers(size).map(name_of_author::asynq));
            pool.spawn_pinned(names).await.expect("no panic")
        }
    };
    Some(match spread {
        Spread::Together => Box::new(move || threads::run(&runtime, request(threads::SIZE))),
        Spread::Apart => return None,
        Spread::Requests => Box::new(move || {
            let requests = (0..REQUESTS).map(|_| request(REQUEST)).collect();
            threads::run(&runtime, threads::apart(requests)).concat()
        }),
    })
}
