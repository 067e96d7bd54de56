//! Synchronous calls: begun, abandoned, ended.

use alloc::vec::Vec;

use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::event::Event;
use crate::host::Host;
use crate::id::TaskId;

/// # 2. Call
impl<H: Host> Engine<H> {
    /// Begins a synchronous call of `task`: from now on [`next`](Self::next) drives what it needs,
    /// until it has ended. Calls nest: a task that runs may make one.
    ///
    /// A task that was not awaited before runs under the contexts of the caller, which are also
    /// active when the call returns.
    pub fn enter(&mut self, task: TaskId) {
        self.inherit_scope(task);
        let callers = self.contexts.innermost();
        self.contexts.retain(callers);
        self.frames.push(task, callers);
        let frame = self.frame_mut().id;
        self.claim(task.into(), frame);
        let depth = self.frames.depth();
        self.record(|| Event::Entered { root: task, depth });
    }

    /// Makes the innermost call drive `dependency` as well, for a task in it that waits for
    /// `dependency` in a way the engine was not told of. A task that was not awaited before runs
    /// under the contexts of the task that runs now, or of the code around it.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn need(&mut self, dependency: impl Into<Dependency>) {
        let frame = self.frame_mut().id;
        let dependency = dependency.into();
        let pending = match dependency {
            Dependency::Task(task) => self.inherit_scope(task),
            Dependency::Item(item) => self.await_item(item),
        };
        if pending {
            self.claim(dependency, frame);
        }
    }

    /// Gives up the innermost call: from now on [`next`](Self::next) only goes back to the contexts
    /// of the caller, and then says [`Step::Done`](crate::Step::Done). The tasks that the call has
    /// started rest, or go on in the call around it.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn abandon(&mut self) {
        let frame = self.frame_mut();
        frame.abandoned = true;
        frame.running = None;
    }

    /// Ends the innermost call, after [`Step::Done`](crate::Step::Done). If the task that made it was
    /// completed meanwhile, no task runs now.
    ///
    /// # Panics
    ///
    /// If there is no call.
    pub fn exit(&mut self) {
        let frame = self.frames.top_mut().expect("`exit` answers `enter`");
        // The priorities were given for a choice of this call.
        frame.flush_queue.forget_answers(&mut self.batches);
        let callers = self.frames.pop();
        if let Some(caller) = self.running().filter(|&task| !self.tasks.contains_key(task)) {
            // It was completed during the call, which is the answer to its `Step::Run`.
            if callers.is_some() || self.contexts.is_flushed_out_of_turn() {
                self.contexts.leave_all(caller, callers);
            }
            self.frame_mut().running = None;
        }
        if let Some(callers) = callers {
            self.contexts.release(callers);
        }
        let depth = self.frames.depth();
        self.record(|| Event::Exited { depth });
    }

    /// Takes out everything that the calls have left behind, in no particular order: tasks and
    /// promises that have not ended, and batches that are not closed. Contexts are left. The front
    /// end adds again whatever somebody still waits for.
    ///
    /// # Panics
    ///
    /// If a call is in progress.
    pub fn take_rest(&mut self) -> (Vec<H::Task>, Vec<H::Batch>) {
        assert!(self.frames.depth() == 0, "only after the outermost `exit`");
        self.contexts.clear();
        let tasks = self.tasks.drain().map(|(_, task)| task.payload).collect();
        let batches = self.batches.drain().map(|(_, batch)| batch.payload).collect();
        (tasks, batches)
    }
}
