//! Edges forward: the things that a task waits for.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::id::{ItemId, TaskId};
use crate::spare::SPARE_CAPACITY;

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

    /// Moves all of them out, several of them into the `spare` list if there is one.
    #[inline]
    pub(crate) fn take(&mut self, spare: &mut SpareList) -> Dependencies {
        match self.only.take() {
            Some(only) => Dependencies::One(only),
            None if self.several.is_empty() => Dependencies::None,
            None => {
                let mut list = spare.0.take().unwrap_or_default();
                mem::swap(&mut *list, &mut self.several);
                Dependencies::Many(list)
            }
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.only = None;
        self.several.clear();
    }

    /// Removes all of them, and gives back most of the room of a list that was long.
    pub(crate) fn reset(&mut self) {
        self.clear();
        self.several.shrink_to(SPARE_CAPACITY);
    }

    pub(crate) fn as_slice(&self) -> &[Dependency] {
        if self.several.is_empty() { self.only.as_slice() } else { &self.several }
    }
}

/// An empty list of dependencies, to be used again.
#[derive(Debug, Default)]
#[allow(clippy::box_collection, reason = "as in `Dependencies`")]
pub(crate) struct SpareList(Option<Box<Vec<Dependency>>>);

impl SpareList {
    /// Keeps the list of dependencies that are not needed any more, unless it is long.
    #[inline]
    pub(crate) fn keep(&mut self, dependencies: Dependencies) {
        if let Dependencies::Many(mut list) = dependencies
            && list.capacity() <= SPARE_CAPACITY
        {
            list.clear();
            self.0 = Some(list);
        }
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
