//! The tasks of one frame that can run now, in the order in which they will.
//!
//! A task that moves to another place, or ends, leaves its entry behind. Only the entry with the
//! stamp of the task counts. So nothing but the task itself is touched when it becomes ready, and a
//! list is passed through in the order of memory.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::context::Scope;
use crate::host::Host;
use crate::id::TaskId;
use crate::spare::SPARE_CAPACITY;
use crate::task::{State, Task, Tasks};
use crate::waiter::Waiter;

/// A list of ready tasks.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// The one that runs first is last.
    stack: Vec<Waiter>,
    /// They run after the stack, in order.
    later: VecDeque<Waiter>,
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
        self.stack.clear();
        self.stack.shrink_to(SPARE_CAPACITY);
        self.later.clear();
        self.later.shrink_to(SPARE_CAPACITY);
    }

    /// Adds an entry; the task must hold its stamp.
    #[inline]
    pub(crate) fn push(&mut self, end: End, entry: Waiter) {
        match end {
            End::Front => self.stack.push(entry),
            End::Back => self.later.push_back(entry),
        }
    }

    /// Moves all of `entries` before all that is here.
    pub(crate) fn push_all(&mut self, entries: &mut Vec<Waiter>) {
        self.stack.extend(entries.drain(..).rev());
    }

    /// Takes out the first to run, if the first entry is current; the caller gives the task its next state.
    #[inline]
    pub(crate) fn take_front<'t, H: Host>(
        &mut self,
        tasks: &'t mut Tasks<H>,
    ) -> Option<(TaskId, &'t mut Task<H>)> {
        let &Waiter { task, stamp } = self.stack.last()?;
        let node = tasks.get_mut(task)?;
        if node.state != State::Ready || node.stamp != stamp {
            return None;
        }
        self.stack.pop();
        Some((task, node))
    }

    /// Returns the first to run, which stays in the list, and its scope.
    pub(crate) fn front<H: Host>(&mut self, tasks: &Tasks<H>) -> Option<(TaskId, Scope)> {
        while let Some(&entry) = self.stack.last() {
            if let Some(scope) = scope_if_current(tasks, entry) {
                return Some((entry.task, scope));
            }
            self.stack.pop();
        }
        self.front_later(tasks)
    }

    fn front_later<H: Host>(&mut self, tasks: &Tasks<H>) -> Option<(TaskId, Scope)> {
        loop {
            let &entry = self.later.front()?;
            if let Some(scope) = scope_if_current(tasks, entry) {
                return Some((entry.task, scope));
            }
            self.later.pop_front();
        }
    }

    /// Takes out the first; the caller gives it its next state.
    #[inline]
    pub(crate) fn pop_front(&mut self) {
        if self.stack.pop().is_none() {
            self.later.pop_front();
        }
    }

    /// Moves all of `inner` before all that is here.
    pub(crate) fn prepend(&mut self, inner: &mut Self) {
        self.stack.extend(inner.later.drain(..).rev());
        self.stack.append(&mut inner.stack);
    }
}

/// Returns the scope of the task of an entry, if the task is ready and the entry is its latest.
#[inline]
fn scope_if_current<H: Host>(tasks: &Tasks<H>, entry: Waiter) -> Option<Scope> {
    match tasks.get(entry.task) {
        Some(Task { state: State::Ready, stamp, scope, .. }) if *stamp == entry.stamp => {
            Some(*scope)
        }
        _ => None,
    }
}
