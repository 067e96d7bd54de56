//! Edges forward: what a task waits for.

use alloc::vec::Vec;
use core::{iter, mem, option, slice};

use crate::batch::ItemId;
use crate::task::TaskId;

/// Something that a task can wait for.
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

/// A list of dependencies in the order given; most tasks wait for just one, which needs no
/// allocation.
#[derive(Debug, Default)]
pub(crate) enum Dependencies {
    #[default]
    None,
    One(Dependency),
    Many(Vec<Dependency>),
}

impl Dependencies {
    pub(crate) fn push(&mut self, dependency: Dependency) {
        match self {
            Self::None => *self = Self::One(dependency),
            Self::Many(list) => list.push(dependency),
            Self::One(_) => {
                let Self::One(first) = mem::take(self) else { unreachable!() };
                *self = Self::Many([first, dependency].into());
            }
        }
    }

    pub(crate) fn iter(
        &self,
    ) -> iter::Chain<
        iter::Copied<option::IntoIter<&Dependency>>,
        iter::Copied<slice::Iter<'_, Dependency>>,
    > {
        let (one, many): (_, &[Dependency]) = match self {
            Self::None => (None, &[]),
            Self::One(dependency) => (Some(dependency), &[]),
            Self::Many(list) => (None, list),
        };
        one.into_iter().copied().chain(many.iter().copied())
    }
}
