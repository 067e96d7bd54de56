//! Edges forward: the things that a task waits for.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::id::{ItemId, TaskId};

/// A task, promise or item that a task can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// The end of a task, or the completion of a promise.
    Task(TaskId),
    /// The value of one item of a batch.
    Item(ItemId),
}

impl From<TaskId> for Dependency {
    fn from(task: TaskId) -> Self {
        Self::Task(task)
    }
}

impl From<ItemId> for Dependency {
    fn from(item: ItemId) -> Self {
        Self::Item(item)
    }
}

/// The dependencies of one task, in the order given. Most tasks wait for just one thing, which
/// needs no allocation.
#[derive(Debug, Default)]
pub(crate) enum Dependencies {
    #[default]
    None,
    One(Dependency),
    // Boxed to keep the node of every task small.
    #[allow(clippy::box_collection, reason = "a third of the size of the vector itself")]
    Many(Box<Vec<Dependency>>),
}

impl Dependencies {
    /// Moves all of `list` out, and leaves it empty.
    pub(crate) fn take_from(list: &mut Vec<Dependency>) -> Self {
        match list[..] {
            [] => Self::None,
            [one] => {
                list.clear();
                Self::One(one)
            }
            _ => Self::Many(Box::new(mem::take(list))),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Dependency] {
        match self {
            Self::None => &[],
            Self::One(dependency) => core::slice::from_ref(dependency),
            Self::Many(list) => list,
        }
    }
}
