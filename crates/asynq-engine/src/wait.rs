//! The life of a task: added, blocked, completed.

use core::mem;

use crate::dependency::{Dependencies, Dependency};
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::{FrameId, ItemId, TaskId};
use crate::ready::End;
use crate::task::{State, Task, Until, is_stale};
use crate::waiter::{Waiter, Waiters};

/// # 1. Add: tasks
impl<H: Host> Engine<H> {
    /// Adds a task. It starts when it is first awaited or called.
    pub fn add_task(&mut self, payload: H::Task) -> TaskId {
        self.add(payload, State::New)
    }

    /// Adds a promise: tasks can wait for it, the engine does not run it, and the holder of the id
    /// [completes](Self::complete) it.
    pub fn add_promise(&mut self, payload: H::Task) -> TaskId {
        self.add(payload, State::Promise)
    }

    pub(crate) fn add(&mut self, payload: H::Task, state: State) -> TaskId {
        let task = self.tasks.insert(Task::new(payload, state));
        self.record(|| Event::Created(task));
        task
    }
}

/// # 4. Answer `Step::Run`
impl<H: Host> Engine<H> {
    /// Adds `dependency` to those of the task that runs now. Returns whether the task has to wait
    /// for it: `false` if it is computed already.
    ///
    /// A task that was not awaited before will run under the contexts of this one, as they are
    /// now. Does nothing if the task was completed (cancelled) since it was run.
    #[inline(always)]
    pub fn depend(&mut self, dependency: impl Into<Dependency>) -> bool {
        let dependency = dependency.into();
        if !self.frames.runs_task() {
            return true;
        }
        let pending = match dependency {
            Dependency::Task(task) => self.inherit_scope(task),
            Dependency::Item(item) => self.await_item(item),
        };
        if pending && let Some(frame) = self.frames.top_mut() {
            frame.dependencies.push(dependency);
        }
        pending
    }

    /// Adds a task, and adds it to the dependencies of the task that runs now:
    /// [`add_task`](Self::add_task) and [`depend`](Self::depend) in one step.
    #[inline]
    pub fn depend_on_new(&mut self, payload: H::Task) -> TaskId {
        if !self.contexts.is_empty() || self.is_listening() || !self.frames.runs_task() {
            return self.depend_on_new_inside(payload);
        }
        let task = self.tasks.insert(Task::new(payload, State::New));
        if let (Some(frame), Some(node)) = (self.frames.top_mut(), self.tasks.get_mut(task)) {
            node.needed_by = frame.id;
            frame.dependencies.push(task.into());
        }
        task
    }

    #[cold]
    fn depend_on_new_inside(&mut self, payload: H::Task) -> TaskId {
        let task = self.add_task(payload);
        self.depend(task);
        task
    }

    /// Makes the task that runs now wait for the dependencies it has named since it was run.
    ///
    /// A task without dependencies that does not wait for a wake-up will never go on: it is
    /// reported as a deadlock. A task that was completed (cancelled) while it ran does not wait.
    ///
    /// # Panics
    ///
    /// If there is no call.
    #[inline]
    pub fn block(&mut self, until: Until) {
        if until != Until::All || !self.block_on_fresh_item() {
            self.block_on_any(until);
        }
    }

    /// Makes the task that runs now wait for an item, if that is all it has named and nobody has waited for the
    /// item before, as nearly always. Returns whether it waits.
    #[inline(always)]
    fn block_on_fresh_item(&mut self) -> bool {
        if self.is_listening() {
            return false;
        }
        let Some(frame) = self.frames.top_mut() else { return false };
        let (Some(task), Some(Dependency::Item(item))) = (frame.running, frame.dependencies.only())
        else {
            return false;
        };
        let (Some(node), Some(batch)) =
            (self.tasks.get_mut(task), self.batches.get_mut(item.batch))
        else {
            return false;
        };
        let stamp = self.last_stamp.next();
        if node.state != (State::Running { woken: false })
            || batch.needed_by < frame.id
            || !batch.items.wait_first(item.index, Waiter { task, stamp })
        {
            return false;
        }
        self.last_stamp = stamp;
        frame.running = None;
        frame.dependencies.clear();
        node.count = 1;
        node.state = State::Blocked(Until::All);
        node.stamp = stamp;
        node.needed_by = frame.id;
        node.dependencies = Dependencies::One(item.into());
        true
    }

    fn block_on_any(&mut self, until: Until) {
        let frame = self.frames.top_mut().expect("only between `enter` and `exit`");
        let frame_id = frame.id;
        let dependencies = frame.dependencies.take(&mut self.spare_list);
        let Some(task) = frame.running.take() else { return };
        // Ended, by a call that it made itself.
        let Some(node) = self.tasks.get_mut(task) else { return };
        let State::Running { woken } = node.state else { unreachable!("it is the task that runs") };
        let stamp = self.last_stamp.next();
        self.last_stamp = stamp;
        let count = dependencies.as_slice().len();
        let needed = if until == Until::All { count.max(1) } else { 1 };
        node.count = u32::try_from(needed).expect("a task waits for fewer than 2³² things");
        node.state = State::Blocked(until);
        node.stamp = stamp;
        node.needed_by = frame_id;
        let waiter = Waiter { task, stamp };
        let computed = match dependencies {
            Dependencies::None => {
                node.dependencies = dependencies;
                0
            }
            Dependencies::One(one) => {
                node.dependencies = dependencies;
                usize::from(!self.wait_for(one, waiter, frame_id))
            }
            Dependencies::Many(list) => {
                // Backwards, since each one that can start goes to the front.
                let mut computed = 0;
                for &one in list.iter().rev() {
                    if !self.start_fresh(one, waiter) {
                        computed += usize::from(!self.wait_for(one, waiter, frame_id));
                    }
                }
                self.tasks[task].dependencies = Dependencies::Many(list);
                computed
            }
        };
        if until == Until::AnyOrWake {
            self.frames.add_external_wait(frame_id);
        }
        self.record_blocked(task);
        if computed > 0 || woken {
            self.count_computed(task, count, computed, woken);
        }
    }

    /// Makes `waiter` wait for a task of the innermost frame that nobody else has asked for, and the task ready. Does
    /// nothing to anything else. Returns whether it was such a task.
    #[inline(always)]
    fn start_fresh(&mut self, dependency: Dependency, waiter: Waiter) -> bool {
        let Dependency::Task(task) = dependency else { return false };
        let (Some(frame), Some(node)) = (self.frames.top_mut(), self.tasks.get_mut(task)) else {
            return false;
        };
        if node.state != State::New
            || node.needed_by != frame.id
            || !matches!(node.waiters, Waiters::Several(None))
        {
            return false;
        }
        let stamp = self.last_stamp.next();
        self.last_stamp = stamp;
        node.waiters = Waiters::One(waiter);
        node.stamp = stamp;
        node.state = State::Ready;
        frame.ready.push(End::Front, Waiter { task, stamp });
        true
    }

    fn record_blocked(&mut self, task: TaskId) {
        if self.is_listening() {
            let on = self.tasks[task].dependencies.as_slice().to_vec();
            self.record(|| Event::Blocked { task, on });
        }
    }

    /// Counts those of `count` dependencies that were computed between `depend` and `block`, and
    /// ends the wait if that is enough, or if the task was woken.
    #[cold]
    pub(crate) fn count_computed(
        &mut self,
        task: TaskId,
        count: usize,
        computed: usize,
        woken: bool,
    ) {
        let node = &mut self.tasks[task];
        let State::Blocked(until) = node.state else { unreachable!("it begins to wait") };
        let enough = if until == Until::All { count } else { 1 };
        if computed > 0 && computed >= enough {
            self.stop_waiting(task, End::Front);
        } else if woken {
            self.stop_waiting(task, End::Back);
        } else {
            node.count -= u32::try_from(computed).expect("no more than it waits for");
        }
    }

    /// Ends a task (its work is done, or it is cancelled), or gives a promise its value: the tasks
    /// that wait for it are woken. Returns the payload, `None` if it had ended before.
    ///
    /// The contexts that the task has entered and is in are left, if it is suspended in a call then
    /// when that returns. One that it has entered and gone
    /// out of ([`set_scope`](Self::set_scope)) is the front end's to leave.
    pub fn complete(&mut self, task: TaskId) -> Option<H::Task> {
        if let Some(frame) = self.frames.top_mut()
            && frame.running == Some(task)
        {
            frame.running = None;
        }
        let node = self.tasks.remove(task)?;
        if node.state == State::Blocked(Until::AnyOrWake) {
            self.frames.remove_external_wait(node.needed_by);
        }
        if let Some(scope) = node.scope {
            // Code that is suspended in a call is still inside: see `exit`.
            let may_be_suspended = matches!(node.state, State::Running { .. });
            if !(may_be_suspended && self.frames.is_running(task)) {
                self.contexts.leave_all(task, node.scope);
            }
            self.contexts.release(scope);
        }
        self.contexts.remove_limit(task);
        self.record(|| Event::Finished(task));
        self.wake_waiters(&node.waiters);
        self.spare_list.keep(node.dependencies);
        Some(node.payload)
    }

    /// Makes `waiter` wait for `dependency`, and `frame` drive that. Returns whether there is
    /// anything to wait for.
    #[inline(always)]
    pub(crate) fn wait_for(
        &mut self,
        dependency: Dependency,
        waiter: Waiter,
        frame: FrameId,
    ) -> bool {
        match dependency {
            Dependency::Task(task) => self.wait_for_task(task, waiter, frame),
            Dependency::Item(item) => self.wait_for_item(item, waiter, frame),
        }
    }

    #[inline(always)]
    fn wait_for_task(&mut self, task: TaskId, waiter: Waiter, frame: FrameId) -> bool {
        let Some(node) = self.tasks.get_mut(task) else { return false };
        if let Waiters::Several(None) = node.waiters {
            node.waiters = Waiters::One(waiter);
        } else {
            self.wait_with_others(task, waiter);
        }
        let node = &mut self.tasks[task];
        if node.state == State::New {
            node.needed_by = frame;
            self.frames.push_ready(End::Front, task, node, &mut self.last_stamp);
        } else if !matches!(node.state, State::Blocked(_)) || node.needed_by < frame {
            self.claim(task.into(), frame);
        }
        true
    }

    fn wait_with_others(&mut self, task: TaskId, waiter: Waiter) {
        let mut waiters = mem::replace(&mut self.tasks[task].waiters, Waiters::NONE);
        waiters.push(waiter, |waiter| is_stale(&self.tasks, waiter));
        self.tasks[task].waiters = waiters;
    }

    #[inline(always)]
    fn wait_for_item(&mut self, item: ItemId, waiter: Waiter, frame: FrameId) -> bool {
        let Some(batch) = self.batches.get_mut(item.batch) else { return false };
        if !batch.items.wait(item.index, waiter, &self.tasks) {
            return false;
        }
        if batch.needed_by < frame {
            self.claim(item.into(), frame);
        }
        true
    }
}
