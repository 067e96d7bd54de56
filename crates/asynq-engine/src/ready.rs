//! The tasks of one frame that can run now, in the order in which they will.
//!
//! The list runs through the tasks themselves, so that a task moves to the front, or leaves, in
//! constant time and without an allocation.

use slotmap::SlotMap;

use crate::host::Host;
use crate::task::{State, Task, TaskId};

/// The neighbours of a task in its list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    before: Option<TaskId>,
    after: Option<TaskId>,
}

#[derive(Debug, Default)]
pub(crate) struct Ready {
    front: Option<TaskId>,
    back: Option<TaskId>,
}

impl Ready {
    pub(crate) fn front(&self) -> Option<TaskId> {
        self.front
    }

    /// Makes `task` ready and the first to run. Its former state is returned.
    pub(crate) fn push_front<H: Host>(
        &mut self,
        tasks: &mut SlotMap<TaskId, Task<H>>,
        task: TaskId,
    ) {
        let link = Link { before: None, after: self.front };
        match self.front {
            Some(front) => link_of(tasks, front).before = Some(task),
            None => self.back = Some(task),
        }
        self.front = Some(task);
        tasks[task].state = State::Ready(link);
    }

    /// Makes `task` ready and the last to run.
    pub(crate) fn push_back<H: Host>(
        &mut self,
        tasks: &mut SlotMap<TaskId, Task<H>>,
        task: TaskId,
    ) {
        let link = Link { before: self.back, after: None };
        match self.back {
            Some(back) => link_of(tasks, back).after = Some(task),
            None => self.front = Some(task),
        }
        self.back = Some(task);
        tasks[task].state = State::Ready(link);
    }

    /// Takes out a task whose link is `link`; the caller gives it its next state.
    pub(crate) fn unlink<H: Host>(&mut self, tasks: &mut SlotMap<TaskId, Task<H>>, link: Link) {
        match link.before {
            Some(before) => link_of(tasks, before).after = link.after,
            None => self.front = link.after,
        }
        match link.after {
            Some(after) => link_of(tasks, after).before = link.before,
            None => self.back = link.before,
        }
    }

    /// Puts all of `inner` before all that is here.
    pub(crate) fn prepend<H: Host>(&mut self, tasks: &mut SlotMap<TaskId, Task<H>>, inner: &Self) {
        let (Some(front), Some(back)) = (inner.front, inner.back) else {
            return;
        };
        link_of(tasks, back).after = self.front;
        match self.front {
            Some(old) => link_of(tasks, old).before = Some(back),
            None => self.back = Some(back),
        }
        self.front = Some(front);
    }
}

fn link_of<H: Host>(tasks: &mut SlotMap<TaskId, Task<H>>, task: TaskId) -> &mut Link {
    match &mut tasks[task].state {
        State::Ready(link) => link,
        other => unreachable!("a task in a ready list is {other:?}"),
    }
}
