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

/// The dependencies that a running task has named so far, in the order given.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// The first, as long as it is the only one.
    only: Option<Dependency>,
    several: Vec<Dependency>,
}

impl Named {
    #[inline]
    pub(crate) fn push(&mut self, dependency: Dependency) {
        if !self.several.is_empty() {
            self.several.push(dependency);
        } else if let Some(first) = self.only.take() {
            self.several.extend([first, dependency]);
        } else {
            self.only = Some(dependency);
        }
    }

    /// Returns the dependency, if there is only one.
    #[inline]
    pub(crate) fn only(&self) -> Option<Dependency> {
        self.only
    }

    /// Moves all of them out.
    #[inline]
    pub(crate) fn take(&mut self) -> Dependencies {
        match self.only.take() {
            Some(only) => Dependencies::One(only),
            None if self.several.is_empty() => Dependencies::None,
            None => Dependencies::Many(Box::new(mem::take(&mut self.several))),
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.only = None;
        self.several.clear();
    }

    pub(crate) fn as_slice(&self) -> &[Dependency] {
        if self.several.is_empty() { self.only.as_slice() } else { &self.several }
    }
}

impl From<&[Dependency]> for Dependencies {
    #[inline]
    fn from(dependencies: &[Dependency]) -> Self {
        match dependencies {
            [] => Self::None,
            [only] => Self::One(*only),
            several => Self::Many(Box::new(several.to_vec())),
        }
    }
}

impl Dependencies {
    pub(crate) fn as_slice(&self) -> &[Dependency] {
        match self {
            Self::None => &[],
            Self::One(dependency) => core::slice::from_ref(dependency),
            Self::Many(list) => list,
        }
    }
}
