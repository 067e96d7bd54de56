//! Who waits for what: adding tasks, blocking them, waking them.

use core::mem;

use crate::batch::Item;
use crate::dependency::{Dependencies, Dependency};
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
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
    /// What was not awaited before will run under the contexts of this task, as they are now.
    ///
    /// # Panics
    ///
    /// If no task runs.
    pub fn depend(&mut self, on: impl Into<Dependency>) -> bool {
        let on = on.into();
        if self.is_computed(on) {
            return false;
        }
        if let Dependency::Task(task) = on {
            self.adopt(task);
        }
        let running = self.running().expect("`depend` is called by a task that runs");
        if let Some(Task { state: State::Running { asked, .. }, .. }) = self.tasks.get_mut(running)
        {
            asked.push(on);
        }
        true
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
        let frame = self.frame_mut();
        let serial = frame.serial;
        let Some(task) = frame.running.take() else { return };
        let since = self.last_wait + 1;
        let Some(node) = self.tasks.get_mut(task) else {
            return;
        };
        let wait = Wait { on: Dependencies::None, pending: usize::MAX, since, until };
        let State::Running { asked: on, woken } =
            mem::replace(&mut node.state, State::Blocked(wait))
        else {
            unreachable!("it is the task that runs")
        };
        node.needed_by = serial;
        self.last_wait = since;
        let (mut asked, mut pending) = (0, 0);
        // Backwards, since each one that can start goes to the front.
        for on in on.iter().rev() {
            asked += 1;
            if self.add_waiter(on, Waiter { task, since }) {
                pending += 1;
                self.claim(on, serial);
            }
        }
        self.record(|| Event::Blocked { task, on: on.iter().collect() });
        if asked > 0 && (pending == 0 || until != Until::All && pending < asked) {
            // Something was computed between `depend` and here.
            self.record(|| Event::Woken(task));
            self.frames.ready_mut(serial).push_front(&mut self.tasks, task);
            return;
        }
        if woken {
            self.record(|| Event::Woken(task));
            self.frames.ready_mut(serial).push_back(&mut self.tasks, task);
            return;
        }
        if until == Until::AnyOrWake {
            self.frame_mut().outside += 1;
        }
        let pending = match until {
            Until::All if asked > 0 => pending,
            _ => 1,
        };
        self.tasks[task].state = State::Blocked(Wait { on, pending, since, until });
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
        self.unschedule(task);
        let node = self.tasks.remove(task)?;
        if let Some(scope) = node.scope {
            self.contexts.leave_all(task, node.scope);
            self.contexts.release(scope);
        }
        self.record(|| Event::Finished(task));
        self.wake_waiters(&node.waiters);
        Some(node.payload)
    }

    /// Takes a task out of whatever would run or wake it.
    fn unschedule(&mut self, task: TaskId) {
        let Some(node) = self.tasks.get(task) else {
            return;
        };
        let needed_by = node.needed_by;
        match &node.state {
            &State::Ready(link) => {
                self.frames.ready_mut(needed_by).unlink(&mut self.tasks, link);
            }
            State::Blocked(wait) if wait.until == Until::AnyOrWake => {
                self.add_outside(needed_by, -1);
            }
            _ => {}
        }
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
        let Some(Task { state: State::Blocked(_), needed_by, .. }) = self.tasks.get(task) else {
            return;
        };
        let needed_by = *needed_by;
        self.unschedule(task);
        self.record(|| Event::Woken(task));
        self.frames.ready_mut(needed_by).push_back(&mut self.tasks, task);
    }
}

impl<H: Host> Engine<H> {
    /// Returns whether there is anything to wait for.
    fn add_waiter(&mut self, on: Dependency, waiter: Waiter) -> bool {
        match on {
            Dependency::Task(task) => {
                let Some(node) = self.tasks.get_mut(task) else {
                    return false;
                };
                let mut waiters = mem::take(&mut node.waiters);
                waiters.push(waiter, &self.tasks);
                self.tasks[task].waiters = waiters;
                true
            }
            Dependency::Item(item) => {
                let Some(batch) = self.batches.get_mut(item.batch) else {
                    return false;
                };
                match &mut batch.items[item.index as usize] {
                    Item::Computed => false,
                    Item::Awaited(waiters) => {
                        waiters.push(waiter, &self.tasks);
                        true
                    }
                }
            }
        }
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
    pub(crate) fn settle(&mut self) {
        if self.woken.is_empty() {
            return;
        }
        let mut woken = mem::take(&mut self.woken);
        woken.sort_unstable_by_key(|&(since, _)| since);
        for &(woken_since, task) in woken.iter().rev() {
            // It may have been cancelled since.
            let Some(node) = self.tasks.get(task) else {
                continue;
            };
            if matches!(node.state, State::Woken { since } if since == woken_since) {
                let list = self.frames.ready_mut(node.needed_by);
                list.push_front(&mut self.tasks, task);
            }
        }
        woken.clear();
        self.woken = woken;
    }
}
