//! Wake-ups: blocked tasks become ready.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::{TaskId, WaitId};
use crate::ready::End;
use crate::spare::SPARE_CAPACITY;
use crate::task::{State, Until, Wait};
use crate::waiter::{Waiter, Waiters};

/// # 6. From outside: wake-ups
impl<H: Host> Engine<H> {
    /// Tells a task that something outside the engine happened for which it may have waited. If it
    /// waits for a wake-up ([`Until::AnyOrWake`]), it runs after what is ready already; if it is
    /// running, it will run again instead of waiting, whatever it depends on. Otherwise this does
    /// nothing.
    pub fn wake(&mut self, task: TaskId) {
        match self.tasks.get_mut(task).map(|task| &mut task.state) {
            Some(State::Blocked(wait)) if wait.until == Until::AnyOrWake => self.interrupt(task),
            Some(State::Running { woken, .. }) => *woken = true,
            _ => {}
        }
    }

    /// Wakes a blocked task although what it waits for is not computed, so that the front end can
    /// deliver an error when it runs. It runs after what is ready already. Does nothing to a task
    /// that is not blocked.
    pub fn interrupt(&mut self, task: TaskId) {
        self.stop_waiting(task, End::Back);
    }
}

impl<H: Host> Engine<H> {
    /// Makes a blocked task ready, computed or not what it waits for.
    pub(crate) fn stop_waiting(&mut self, task: TaskId, end: End) {
        let Some(node) = self.tasks.get_mut(task) else { return };
        let State::Blocked(Wait { until, .. }) = node.state else { return };
        let needed_by = node.needed_by;
        self.frames.push_ready(end, task, node, &mut self.generation);
        if until == Until::AnyOrWake {
            self.frames.remove_external_wait(needed_by);
        }
        self.record(|| Event::Woken(task));
    }

    /// Counts a completion for each of `waiters`.
    pub(crate) fn wake_waiters(&mut self, waiters: &Waiters) {
        for &waiter in waiters.as_slice() {
            self.wake_waiter(waiter);
        }
    }

    /// Counts a completion for a waiter, and wakes it if it needs no other.
    #[inline]
    pub(crate) fn wake_waiter(&mut self, Waiter { task, wait_id }: Waiter) {
        let Some(node) = self.tasks.get_mut(task) else { return };
        let State::Blocked(wait) = &mut node.state else { return };
        if wait.id != wait_id {
            return;
        }
        wait.pending -= 1;
        if wait.pending > 0 {
            return;
        }
        let until = wait.until;
        let needed_by = node.needed_by;
        node.state = State::Woken { wait_id };
        self.woken.push((wait_id, task));
        if until == Until::AnyOrWake {
            self.frames.remove_external_wait(needed_by);
        }
        self.record(|| Event::Woken(task));
    }

    /// Puts the tasks that were woken since the last step before all that is ready, in the order
    /// in which they began to wait.
    #[inline]
    pub(crate) fn queue_woken(&mut self) {
        if !self.woken.is_empty() {
            self.sort_and_queue_woken();
        }
    }

    fn sort_and_queue_woken(&mut self) {
        let mut woken = mem::take(&mut self.woken);
        // Mostly they are in order already: the waits for a batch begin in the order of its items.
        if !woken.is_sorted_by_key(|&(wait_id, _)| wait_id) {
            sort_by_wait(&mut woken);
        }
        for &(woken_in, task) in woken.iter().rev() {
            // It may have been cancelled since.
            let Some(node) = self.tasks.get_mut(task) else {
                continue;
            };
            if matches!(node.state, State::Woken { wait_id } if wait_id == woken_in) {
                self.frames.push_ready(End::Front, task, node, &mut self.generation);
            }
        }
        woken.clear();
        woken.shrink_to(SPARE_CAPACITY);
        self.woken = woken;
    }
}

/// Number of tasks for which it is worth while to give each wait a place.
const MANY: usize = 32;

/// Sorts the tasks by the beginning of their waits. Where tasks share items, they are woken by items, but
/// have begun to wait one after the other: then each wait has a place of its own.
fn sort_by_wait(woken: &mut Vec<(WaitId, TaskId)>) {
    let ids = || woken.iter().map(|&(wait_id, _)| wait_id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return };
    let places = last.distance(first).saturating_add(1);
    if woken.len() < MANY || places > 2 * woken.len() {
        return woken.sort_unstable_by_key(|&(wait_id, _)| wait_id);
    }
    let mut by_wait = vec![None; places];
    for &(wait_id, task) in &*woken {
        by_wait[wait_id.distance(first)] = Some((wait_id, task));
    }
    woken.clear();
    woken.extend(by_wait.into_iter().flatten());
}
