//! Who is measured.

mod async_dataloader;
mod by_hand;
mod ours;
mod ready;

use crate::programs;
use crate::workload::Workload;

/// A call of it is a run, which returns its result.
pub(crate) type Program = Box<dyn FnMut() -> Vec<u64>>;

/// One of the implementations.
pub(crate) struct Peer {
    /// As the crate is called, for those that are one.
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) program: fn(Workload) -> Program,
}

impl Peer {
    /// As it is called on the command line.
    pub(crate) fn slug(&self) -> String {
        let name = self.name.replace(' ', "-");
        if self.role == Role::Ours { format!("{name} (ours)") } else { name }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Ours,
    /// A library that does the same.
    Library,
    /// What cannot be undercut: no library, or no loads to wait for.
    Bound,
}

pub(crate) const PEERS: [Peer; 4] = [
    Peer { name: "asynq-batch", role: Role::Ours, program: ours::program },
    Peer {
        name: "async_dataloader",
        role: Role::Library,
        program: programs::program::<async_dataloader::Loaders>,
    },
    Peer { name: "join_all floor", role: Role::Bound, program: programs::program::<ready::Ready> },
    Peer { name: "by hand", role: Role::Bound, program: by_hand::program },
];
