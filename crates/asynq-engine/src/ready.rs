//! The tasks of one frame that can run now, in the order in which they will.
//!
//! A task that moves to another place, or ends, leaves its entry behind. Every entry has a
//! generation of its own, and only the entry whose generation the task holds counts. So nothing
//! but the task itself is touched when it becomes ready, and a list is passed through in the order
//! of memory.

use alloc::collections::VecDeque;
use core::mem;

use crate::host::Host;
use crate::id::{ContextId, Generation, TaskId};
use crate::spare::SPARE_CAPACITY;
use crate::task::{State, Task, Tasks};

/// A list of ready tasks.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    entries: VecDeque<(TaskId, Generation)>,
}

/// An end of a list of ready tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The task runs before all others of the list.
    Front,
    /// The task runs after all others of the list.
    Back,
}

impl Ready {
    /// Removes all entries, and gives back most of the room of a list that was long.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(SPARE_CAPACITY);
    }

    /// Adds an entry; `task` must hold its generation.
    pub(crate) fn push(&mut self, end: End, task: TaskId, generation: Generation) {
        match end {
            End::Front => self.entries.push_front((task, generation)),
            End::Back => self.entries.push_back((task, generation)),
        }
    }

    /// Returns the first to run, which stays in the list, and its scope.
    pub(crate) fn front<H: Host>(
        &mut self,
        tasks: &Tasks<H>,
    ) -> Option<(TaskId, Option<ContextId>)> {
        loop {
            let &(task, generation) = self.entries.front()?;
            match tasks.get(task) {
                Some(Task { state: State::Ready(current), scope, .. })
                    if *current == generation =>
                {
                    return Some((task, *scope));
                }
                _ => self.entries.pop_front(),
            };
        }
    }

    /// Takes out the first; the caller gives it its next state.
    pub(crate) fn pop_front(&mut self) {
        self.entries.pop_front();
    }

    /// Moves all of `inner` before all that is here.
    pub(crate) fn prepend(&mut self, inner: &mut Self) {
        if self.entries.is_empty() {
            mem::swap(&mut self.entries, &mut inner.entries);
        }
        while let Some(entry) = inner.entries.pop_back() {
            self.entries.push_front(entry);
        }
    }
}
