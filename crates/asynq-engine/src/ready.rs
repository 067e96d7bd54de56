//! The tasks of one frame that can run now, in the order in which they will.
//!
//! A task that moves to another place, or ends, leaves its entry behind. Every entry has a ticket of
//! its own, and only the one whose ticket the task holds counts. So nothing but the task itself is
//! touched when it becomes ready, and a list is passed through in the order of memory.

use alloc::collections::VecDeque;
use core::mem;

use slotmap::SlotMap;

use crate::context::ContextId;
use crate::engine::SPARE;
use crate::host::Host;
use crate::task::{State, Task, TaskId};

/// The number of an entry in a list of ready tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// Numbers the entries of all lists of an engine.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: u64,
}

impl Tickets {
    fn next(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ready {
    entries: VecDeque<(TaskId, Ticket)>,
}

impl Ready {
    /// Gives back most of the room of an empty list that was long.
    pub(crate) fn shrink(&mut self) {
        if self.entries.capacity() > SPARE {
            self.entries.shrink_to(SPARE);
        }
    }

    /// Makes `task`, whose node is `node`, ready and the first to run.
    pub(crate) fn push_front<H: Host>(
        &mut self,
        task: TaskId,
        node: &mut Task<H>,
        tickets: &mut Tickets,
    ) {
        let ticket = tickets.next();
        node.state = State::Ready(ticket);
        self.entries.push_front((task, ticket));
    }

    /// Makes `task` ready and the last to run.
    pub(crate) fn push_back<H: Host>(
        &mut self,
        task: TaskId,
        node: &mut Task<H>,
        tickets: &mut Tickets,
    ) {
        let ticket = tickets.next();
        node.state = State::Ready(ticket);
        self.entries.push_back((task, ticket));
    }

    /// The first to run, which stays in the list, and its scope.
    pub(crate) fn front<H: Host>(
        &mut self,
        tasks: &SlotMap<TaskId, Task<H>>,
    ) -> Option<(TaskId, Option<ContextId>)> {
        loop {
            let &(task, ticket) = self.entries.front()?;
            match tasks.get(task) {
                Some(Task { state: State::Ready(current), scope, .. }) if *current == ticket => {
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
        if inner.entries.is_empty() {
            return;
        }
        if self.entries.is_empty() {
            mem::swap(&mut self.entries, &mut inner.entries);
            return;
        }
        while let Some(entry) = inner.entries.pop_back() {
            self.entries.push_front(entry);
        }
    }
}
