//! The implementations that are measured.

mod async_dataloader;
mod async_graphql;
mod batch_aint_one;
mod by_hand;
mod dataloader;
mod ours;
mod ready;
#[cfg(feature = "explain")]
mod recorded;
mod requests;
mod ultra_batch;

use serde::Serialize;

use crate::programs::{self, SendLoads};
use crate::threads::{self, Spread};
use crate::workload::Workload;

/// A call of it is a run, which returns its result.
pub(crate) type Program = Box<dyn FnMut() -> Vec<u64>>;

/// One of the implementations.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Package, if the implementation is a crate.
    pub(crate) package: Option<&'static str>,
    pub(crate) role: Role,
    /// Its use in this benchmark.
    pub(crate) about: &'static str,
    /// On one thread, where it has one.
    pub(crate) program: fn(Workload) -> Option<Program>,
    /// On two, if it can be.
    pub(crate) on_threads: fn(Spread) -> Option<Program>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Ours,
    /// Ours by other means, which the goals are not about.
    Form,
    /// A library that does the same.
    Library,
    /// A lower bound: no library, or no loads to wait for.
    Bound,
}

/// Returns the implementations that are measured.
pub(crate) fn peers() -> &'static [Peer] {
    if RECORDED.is_empty() { &PEERS } else { RECORDED }
}

#[cfg(feature = "explain")]
static RECORDED: &[Peer] = &recorded::PEERS;
#[cfg(not(feature = "explain"))]
static RECORDED: &[Peer] = &[];

static PEERS: [Peer; 11] = [
    Peer {
        name: "asynq",
        package: Some("asynq-batch"),
        role: Role::Ours,
        about: "Sources that are used in every run. The flush removes duplicates.",
        program: ours::program::<ours::Batches>,
        on_threads: ours::on_threads,
    },
    Peer {
        name: "asynq loaders",
        package: None,
        role: Role::Form,
        about: "The same programs on `asynq::Loader`s, which remove duplicates themselves.",
        program: ours::program::<ours::Loaders>,
        on_threads: |_| None,
    },
    Peer {
        name: "asynq request",
        package: None,
        role: Role::Form,
        about: "The same functions on `asynq::Loader`s, in `asynq::request` on tokio's current-thread \
                runtime: their calls under `all`, without tasks of asynq.",
        program: ours::in_requests,
        on_threads: |_| None,
    },
    Peer {
        name: "asynq request join_all",
        package: None,
        role: Role::Form,
        about: "The programs of the libraries below on `asynq::Loader`s, in `asynq::request`: futures under \
                `join_all`, on tokio's current-thread runtime.",
        program: programs::program::<requests::Loaders>,
        on_threads: |_| None,
    },
    Peer {
        name: "async_dataloader",
        package: Some("async_dataloader"),
        role: Role::Library,
        about: "Sources are functions. Not `Send`. The batch function removes duplicates.",
        program: programs::program::<async_dataloader::Loaders>,
        on_threads: |_| None,
    },
    send::<dataloader::Loaders>(
        "dataloader",
        "The loader with its cache, new in every run (without the cache it is slower); batches of \
         any size. It waits for ten yields before it asks. It removes duplicates itself.",
    ),
    send::<async_graphql::Loaders>(
        "async-graphql",
        "Its `DataLoader` without a cache, used in every run; batches of any size. It waits for a \
         millisecond of tokio's timer before it asks. It removes duplicates itself.",
    ),
    send::<ultra_batch::Loaders>(
        "ultra-batch",
        "A `BatchFetcher`, which caches, new in every run; batches of any size. It asks when no key \
         has come for a millisecond (by default ten) of tokio's timer. It removes duplicates itself.",
    ),
    send::<batch_aint_one::Loaders>(
        "batch-aint-one",
        "One `Batcher`, used in every run; batches of any size, policy `Balanced`, which of its \
         policies is the fastest here. The processor removes duplicates.",
    ),
    Peer {
        name: "by hand",
        package: None,
        role: Role::Bound,
        about: "No library and no async function: all keys of a round are collected, freed of \
                duplicates, and asked for.",
        program: by_hand::program,
        on_threads: |_| None,
    },
    Peer {
        name: "floor",
        package: None,
        role: Role::Bound,
        about: "The same async functions under `join_all`, with loads that are ready at once: a look \
                into the table, no batches. What any library for futures adds to.",
        program: programs::program::<ready::Ready>,
        on_threads: |_| None,
    },
];

const fn send<L: SendLoads>(package: &'static str, about: &'static str) -> Peer {
    Peer {
        name: package,
        package: Some(package),
        role: Role::Library,
        about,
        program: programs::program::<L>,
        on_threads: |spread| Some(threads::program::<L>(spread)),
    }
}

impl Peer {
    /// As it is called on the command line.
    pub(crate) fn slug(&self) -> String {
        let name = self.name.replace(' ', "-");
        if matches!(self.role, Role::Ours | Role::Form) { format!("{name} (ours)") } else { name }
    }
}
