//! Inline starts: tasks that the front end starts where they are first asked for.
//!
//! # Note: inline starts
//!
//! When a task awaits tasks that nobody has asked for before, it blocks, and they start in the order
//! given, depth first, before anything else. So the front end may start them itself while the task that
//! awaits them still counts as running, and tell the engine of none that ends at once. A task that has
//! to wait is added as a blocked one ([`add_blocked`](Engine::add_blocked)).
//!
//! Nobody may notice. Before a task that was started inline does anything that depends on the state of
//! the engine (a call, a context, a wait for something else), the front end brings about the state that
//! the engine would be in otherwise. For each task that awaits others, the outermost first, it adds the
//! one that it has started ([`add_started`](Engine::add_started)), makes the awaiting task depend on that
//! and on the ones that have not started, and blocks it. Then the started task goes on
//! ([`go_on`](Engine::go_on)).

use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::host::Host;
use crate::id::TaskId;
use crate::task::{State, Until};
use crate::waiter::Waiter;

/// # 4. Answer `Step::Run`: inline starts
impl<H: Host> Engine<H> {
    /// Returns whether the task that runs now may start tasks inline: no other task would run before
    /// them, there are no contexts to inherit, and nobody listens.
    #[must_use]
    pub fn can_start_inline(&self) -> bool {
        self.woken.is_empty()
            && self.contexts.is_empty()
            && !self.is_listening()
            && self.frames.top().is_some_and(|frame| frame.running.is_some() && !frame.abandoned)
    }

    /// Adds a task that was started inline, and waits for all of `dependencies`.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn add_blocked(&mut self, payload: H::Task, dependencies: &[Dependency]) -> TaskId {
        let frame = self.frame_mut().id;
        let stamp = self.last_stamp.next();
        self.last_stamp = stamp;
        let task = self.add(payload, State::Blocked(Until::All));
        let node = &mut self.tasks[task];
        node.started = true;
        node.needed_by = frame;
        node.stamp = stamp;
        let count = u32::try_from(dependencies.len().max(1));
        node.count = count.expect("a task waits for fewer than 2³² things");
        node.dependencies = dependencies.into();
        let waiter = Waiter { task, stamp };
        let mut computed = 0;
        for &dependency in dependencies.iter().rev() {
            if let Dependency::Item(item) = dependency {
                self.await_item(item);
            }
            computed += usize::from(!self.wait_for(dependency, waiter, frame));
        }
        if computed > 0 {
            self.count_computed(task, dependencies.len(), computed, false);
        }
        task
    }

    /// Adds a task that was started inline, so that the task that runs now can depend on it.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn add_started(&mut self, payload: H::Task) -> TaskId {
        let needed_by = self.frame_mut().id;
        let task = self.add(payload, State::Running { woken: false });
        let node = &mut self.tasks[task];
        node.started = true;
        node.needed_by = needed_by;
        task
    }

    /// Makes the task that runs now go on after those that it has woken, if nothing of what it awaits is
    /// pending.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn requeue(&mut self) {
        let frame = self.frame_mut();
        let frame_id = frame.id;
        frame.dependencies.clear();
        let Some(task) = frame.running.take() else { return };
        let Some(node) = self.tasks.get_mut(task) else { return };
        self.last_stamp = self.last_stamp.next();
        let waiter = Waiter { task, stamp: self.last_stamp };
        node.state = State::Ready;
        node.stamp = waiter.stamp;
        node.needed_by = frame_id;
        node.count = self.woken.push(waiter, frame_id);
    }

    /// Makes a task that was added by [`add_started`](Self::add_started) the one that runs now, after the
    /// task that awaits it has blocked.
    ///
    /// # Panics
    ///
    /// If there is no call, or another task runs.
    pub fn go_on(&mut self, task: TaskId) {
        let frame = self.frame_mut();
        assert!(frame.running.is_none(), "the task that awaits it has to block first");
        frame.running = Some(task);
    }
}
