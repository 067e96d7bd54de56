//! Who waits for what: adding tasks, blocking them, waking them.

use core::mem;

use crate::batch::Item;
use crate::dependency::{Dependencies, Dependency};
use crate::engine::{Engine, SPARE};
use crate::event::Event;
use crate::frame::Serial;
use crate::host::Host;
use crate::ready::{Ready, Tickets};
use crate::task::{State, Task, TaskId, Until, Wait};
use crate::waiter::{Waiter, Waiters};

/// # 1. Add
impl<H: Host> Engine<H> {
    /// Adds a task. It starts when it is first awaited or called.
    pub fn add_task(&mut self, payload: H::Task) -> TaskId {
        self.add(payload, State::New)
    }

    /// Adds something that tasks can wait for and the engine does not run: whoever holds the id
    /// [completes](Self::complete) it.
    pub fn add_promise(&mut self, payload: H::Task) -> TaskId {
        self.add(payload, State::Promise)
    }

    fn add(&mut self, payload: H::Task, state: State) -> TaskId {
        let task = self.tasks.insert(Task::new(payload, state));
        self.record(|| Event::Created(task));
        task
    }
}

/// # 4. Answer `Step::Run`
impl<H: Host> Engine<H> {
    /// The task that runs now asks for `on`. Returns whether it has to wait for it: `false` if
    /// that is computed already.
    ///
    /// What was not awaited before will run under the contexts of this task, as they are now. Does
    /// nothing if the task was completed (cancelled) since it was run.
    #[inline]
    pub fn depend(&mut self, on: impl Into<Dependency>) -> bool {
        let on = on.into();
        if self.running().is_none() {
            return true;
        }
        let pending = match on {
            Dependency::Task(task) => self.adopt(task),
            Dependency::Item(_) => !self.is_computed(on),
        };
        if pending {
            self.frame_mut().asked.push(on);
        }
        pending
    }

    /// The task that runs now waits for what it asked for since it was run.
    ///
    /// A task that asked for nothing, and is not waiting for a wake-up, will never go on: it is
    /// reported as a deadlock. A task that was completed (cancelled) while it ran does not wait.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn block(&mut self, until: Until) {
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        let serial = frame.serial;
        let on = Dependencies::take_from(&mut frame.asked);
        let Some(task) = frame.running.take() else { return };
        // Ended, by a call that it made itself.
        let Some(node) = self.tasks.get_mut(task) else { return };
        let State::Running { woken } = node.state else { unreachable!("it is the task that runs") };
        self.last_wait += 1;
        let since = self.last_wait;
        let asked = on.as_slice().len();
        let pending = if until == Until::All { asked.max(1) } else { 1 };
        let pending = u32::try_from(pending).expect("a task waits for fewer than 2³² things");
        node.state = State::Blocked(Wait { pending, since, until });
        node.needed_by = serial;
        let waiter = Waiter { task, since };
        let computed = match on {
            Dependencies::None => {
                node.on = on;
                0
            }
            Dependencies::One(one) => {
                node.on = on;
                usize::from(!self.wait_for(one, waiter, serial))
            }
            Dependencies::Many(list) => {
                // Backwards, since each one that can start goes to the front.
                let each = list.iter().rev();
                let computed = each.filter(|&&on| !self.wait_for(on, waiter, serial)).count();
                self.tasks[task].on = Dependencies::Many(list);
                computed
            }
        };
        if until == Until::AnyOrWake {
            self.add_outside(serial, 1);
        }
        self.record_blocked(task);
        if computed > 0 || woken {
            self.stop_waiting(task, asked, computed, woken);
        }
    }

    fn record_blocked(&mut self, task: TaskId) {
        if self.is_listening() {
            let on = self.tasks[task].on.as_slice().to_vec();
            self.record(|| Event::Blocked { task, on });
        }
    }

    /// Of what `task` is about to wait for, some was computed since it asked; or it was woken.
    #[cold]
    fn stop_waiting(&mut self, task: TaskId, asked: usize, computed: usize, woken: bool) {
        let State::Blocked(wait) = &mut self.tasks[task].state else {
            unreachable!("it begins to wait")
        };
        let enough = if wait.until == Until::All { asked } else { 1 };
        if computed > 0 && computed >= enough {
            self.set_going(task, Ready::push_front);
        } else if woken {
            self.set_going(task, Ready::push_back);
        } else {
            wait.pending -= u32::try_from(computed).expect("no more than it waits for");
        }
    }

    /// Makes a blocked task ready although what it waits for is not all there.
    fn set_going(
        &mut self,
        task: TaskId,
        push: fn(&mut Ready, TaskId, &mut Task<H>, &mut Tickets),
    ) {
        let Some(node) = self.tasks.get_mut(task) else { return };
        let State::Blocked(Wait { until, .. }) = node.state else { return };
        let needed_by = node.needed_by;
        push(self.frames.ready_mut(needed_by), task, node, &mut self.tickets);
        if until == Until::AnyOrWake {
            self.add_outside(needed_by, -1);
        }
        self.record(|| Event::Woken(task));
    }

    /// A task has ended, or was cancelled, or a promise has its value: those that wait for it are
    /// woken. Returns the payload, `None` if it had ended before.
    ///
    /// The contexts that the task has entered and is in are left. One that it has entered and gone
    /// out of ([`set_scope`](Self::set_scope)) is the front end's to leave.
    pub fn complete(&mut self, task: TaskId) -> Option<H::Task> {
        if let Some(frame) = self.frames.top_mut()
            && frame.running == Some(task)
        {
            frame.running = None;
        }
        let node = self.tasks.remove(task)?;
        if let State::Blocked(Wait { until: Until::AnyOrWake, .. }) = node.state {
            self.add_outside(node.needed_by, -1);
        }
        if let Some(scope) = node.scope {
            self.contexts.leave_all(task, node.scope);
            self.contexts.release(scope);
        }
        self.record(|| Event::Finished(task));
        self.wake_waiters(&node.waiters);
        Some(node.payload)
    }
}

/// # 6. From outside
impl<H: Host> Engine<H> {
    /// Something outside the engine happened that `task` may have waited for. If it waits for a
    /// wake-up ([`Until::AnyOrWake`]), it runs after what is ready already; if it is running, it
    /// will run again instead of waiting, whatever it asks for. Otherwise this does nothing.
    pub fn wake(&mut self, task: TaskId) {
        match self.tasks.get_mut(task).map(|task| &mut task.state) {
            Some(State::Blocked(wait)) if wait.until == Until::AnyOrWake => self.interrupt(task),
            Some(State::Running { woken, .. }) => *woken = true,
            _ => {}
        }
    }

    /// Wakes a blocked task although what it waits for is not there, so that the front end can
    /// deliver an error when it runs. It runs after what is ready already. Does nothing to a task
    /// that is not blocked.
    pub fn interrupt(&mut self, task: TaskId) {
        self.set_going(task, Ready::push_back);
    }
}

impl<H: Host> Engine<H> {
    /// Makes `waiter` wait for `on`, and the frame `serial` drive that. Returns whether there is
    /// anything to wait for.
    fn wait_for(&mut self, on: Dependency, waiter: Waiter, serial: Serial) -> bool {
        match on {
            Dependency::Task(task) => {
                let Some(node) = self.tasks.get_mut(task) else {
                    return false;
                };
                if let Waiters::Several(None) = node.waiters {
                    node.waiters = Waiters::One(waiter);
                } else {
                    let mut waiters = mem::replace(&mut node.waiters, Waiters::NONE);
                    waiters.push(waiter, &self.tasks);
                    self.tasks[task].waiters = waiters;
                }
                let node = &mut self.tasks[task];
                if let State::New = node.state {
                    node.needed_by = serial;
                    self.frames.ready_mut(serial).push_front(task, node, &mut self.tickets);
                    return true;
                }
            }
            Dependency::Item(item) => {
                let Some(batch) = self.batches.get_mut(item.batch) else {
                    return false;
                };
                match &mut batch.items[item.index as usize] {
                    Item::Computed => return false,
                    Item::Awaited(waiters) => waiters.push(waiter, &self.tasks),
                }
                if batch.needed_by >= serial {
                    return true;
                }
            }
        }
        self.claim(on, serial);
        true
    }

    /// What `waiters` waited for is there.
    pub(crate) fn wake_waiters(&mut self, waiters: &Waiters) {
        for &Waiter { task, since } in waiters.as_slice() {
            let Some(node) = self.tasks.get_mut(task) else {
                continue;
            };
            let State::Blocked(wait) = &mut node.state else {
                continue;
            };
            if wait.since != since {
                continue;
            }
            wait.pending -= 1;
            if wait.pending == 0 {
                let until = wait.until;
                let needed_by = node.needed_by;
                node.state = State::Woken { since };
                self.woken.push((since, task));
                if until == Until::AnyOrWake {
                    self.add_outside(needed_by, -1);
                }
                self.record(|| Event::Woken(task));
            }
        }
    }

    /// Puts the tasks that were woken since the last step before all that is ready, in the order
    /// in which they began to wait.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.woken.is_empty() {
            self.settle_woken();
        }
    }

    fn settle_woken(&mut self) {
        let mut woken = mem::take(&mut self.woken);
        // Mostly they are in order already: the waits for a batch begin in the order of its items.
        woken.sort_unstable_by_key(|&(since, _)| since);
        for &(woken_since, task) in woken.iter().rev() {
            // It may have been cancelled since.
            let Some(node) = self.tasks.get_mut(task) else {
                continue;
            };
            if matches!(node.state, State::Woken { since } if since == woken_since) {
                let list = self.frames.ready_mut(node.needed_by);
                list.push_front(task, node, &mut self.tickets);
            }
        }
        woken.clear();
        woken.shrink_to(SPARE);
        self.woken = woken;
    }
}
