//! The tasks that were woken since the last step, in the order in which they began to wait.
//!
//! They are ready already; the next step puts them into the list of their frame, all at once. Nearly
//! always they have been woken in order and belong to one frame: then none of them is touched for that.

use alloc::vec;
use alloc::vec::Vec;

use crate::id::FrameId;
use crate::spare::SPARE_CAPACITY;
use crate::waiter::Waiter;

#[derive(Debug, Default)]
pub(crate) struct Woken {
    tasks: Vec<Waiter>,
    /// The frame that needs them.
    frame: FrameId,
    /// Other frames need some of them.
    is_mixed: bool,
    is_unordered: bool,
}

impl Woken {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Adds a task that `frame` needs. Returns its index.
    #[inline]
    pub(crate) fn push(&mut self, task: Waiter, frame: FrameId) -> u32 {
        if let Some(last) = self.tasks.last() {
            self.is_unordered |= task.stamp < last.stamp;
            self.is_mixed |= frame != self.frame;
        } else {
            (self.frame, self.is_mixed, self.is_unordered) = (frame, false, false);
        }
        let index = u32::try_from(self.tasks.len()).expect("fewer than 2³² tasks");
        self.tasks.push(task);
        index
    }

    /// Returns the task, if there is only one, and the frame that needs it.
    #[inline]
    pub(crate) fn only(&self) -> Option<(Waiter, FrameId)> {
        match self.tasks[..] {
            [task] if !self.is_mixed => Some((task, self.frame)),
            _ => None,
        }
    }

    /// Removes the task that was added last.
    #[inline]
    pub(crate) fn pop(&mut self) {
        self.tasks.pop();
    }

    /// Returns whether a task is at an index.
    pub(crate) fn contains(&self, index: u32, task: Waiter) -> bool {
        self.tasks.get(index as usize) == Some(&task)
    }

    /// Notes that a task belongs to another frame from now on.
    pub(crate) fn mix(&mut self) {
        self.is_mixed = true;
    }

    /// Returns the tasks in the order in which they began to wait, and the frame that needs them all.
    pub(crate) fn sorted(&mut self) -> (&mut Vec<Waiter>, Option<FrameId>) {
        if self.is_unordered {
            sort(&mut self.tasks);
        }
        (&mut self.tasks, (!self.is_mixed).then_some(self.frame))
    }

    /// Removes all tasks, and gives back most of the room of a list that was long.
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
        self.tasks.shrink_to(SPARE_CAPACITY);
    }
}

/// Number of tasks for which it is worth while to give each wait a place.
const MANY: usize = 32;

/// Sorts tasks by the beginning of their waits. Where tasks share items, they are woken by items, but
/// have begun to wait one after the other: then each wait has a place of its own.
fn sort(tasks: &mut Vec<Waiter>) {
    let stamps = || tasks.iter().map(|task| task.stamp);
    let (Some(first), Some(last)) = (stamps().min(), stamps().max()) else { return };
    let places = last.distance(first).saturating_add(1);
    if tasks.len() < MANY || places > 2 * tasks.len() {
        return tasks.sort_unstable_by_key(|task| task.stamp);
    }
    let mut by_wait = vec![None; places];
    for &task in &*tasks {
        by_wait[task.stamp.distance(first)] = Some(task);
    }
    tasks.clear();
    tasks.extend(by_wait.into_iter().flatten());
}
