//! Wake-ups: blocked tasks become ready.

use core::mem;

use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::TaskId;
use crate::ready::End;
use crate::task::{State, Until};
use crate::waiter::{Waiter, Waiters};

/// # 6. From outside: wake-ups
impl<H: Host> Engine<H> {
    /// Tells a task that something outside the engine happened for which it may have waited. If it
    /// waits for a wake-up ([`Until::AnyOrWake`]), it runs after what is ready already; if it is
    /// running, it will run again instead of waiting, whatever it depends on. Otherwise this does
    /// nothing.
    pub fn wake(&mut self, task: TaskId) {
        match self.tasks.get_mut(task).map(|task| &mut task.state) {
            Some(State::Blocked(Until::AnyOrWake)) => self.interrupt(task),
            Some(State::Running { woken }) => *woken = true,
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
        let State::Blocked(until) = node.state else { return };
        let needed_by = node.needed_by;
        self.frames.push_ready(end, task, node, &mut self.last_stamp);
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
    #[inline(always)]
    pub(crate) fn wake_waiter(&mut self, waiter: Waiter) {
        let Some(node) = self.tasks.get_mut(waiter.task) else { return };
        let State::Blocked(until) = node.state else { return };
        if node.stamp != waiter.stamp {
            return;
        }
        node.count -= 1;
        if node.count > 0 {
            return;
        }
        let needed_by = node.needed_by;
        node.state = State::Ready;
        node.count = self.woken.push(waiter, needed_by);
        if until == Until::AnyOrWake {
            self.frames.remove_external_wait(needed_by);
        }
        if self.is_listening() {
            self.record_woken(waiter.task);
        }
    }

    #[cold]
    fn record_woken(&mut self, task: TaskId) {
        self.record(|| Event::Woken(task));
    }

    /// Puts the tasks that were woken since the last step before all that is ready, in the order
    /// in which they began to wait.
    #[inline]
    pub(crate) fn queue_woken(&mut self) {
        if !self.woken.is_empty() {
            self.queue_all_woken();
        }
    }

    #[cold]
    fn queue_all_woken(&mut self) {
        let mut woken = mem::take(&mut self.woken);
        let (entries, frame) = woken.sorted();
        match frame {
            Some(frame) => {
                if let Some(owner) = self.frames.owner_mut(frame) {
                    owner.ready.push_all(entries);
                }
            }
            None => {
                for &entry in entries.iter().rev() {
                    // It may have been cancelled since.
                    let Some(node) = self.tasks.get(entry.task) else { continue };
                    if let Some(owner) = self.frames.owner_mut(node.needed_by) {
                        owner.ready.push(End::Front, entry);
                    }
                }
            }
        }
        woken.clear();
        self.woken = woken;
    }
}
