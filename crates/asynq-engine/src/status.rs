//! Questions about the state of an engine, which change nothing.

use alloc::vec::Vec;

use crate::batch::{Batch, BatchState};
use crate::dependency::Dependency;
use crate::engine::Engine;
use crate::host::Host;
use crate::id::{BatchId, ContextId, TaskId};
use crate::task::{State, Task, is_stale};
use crate::waiter::Waiter;

/// The state of a task, see [`Engine::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No task waits for it and no call needs it yet.
    New,
    /// It can run, and others go first.
    Ready,
    /// It runs, or is suspended in a synchronous call of its own.
    Running,
    /// It waits for its [dependencies](Engine::dependencies), or for a wake-up.
    Blocked,
    /// The engine does not run it: somebody outside completes it.
    Promise,
}

/// # 7. Look: tasks
impl<H: Host> Engine<H> {
    /// Returns the value given to [`add_task`](Self::add_task); `None` after the task has ended.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<&H::Task> {
        self.tasks.get(task).map(|task| &task.payload)
    }

    /// Returns the state of a task; `None` after it has ended.
    #[must_use]
    pub fn status(&self, task: TaskId) -> Option<Status> {
        Some(match self.tasks.get(task)?.state {
            State::New => Status::New,
            State::Ready => Status::Ready,
            State::Running { .. } => Status::Running,
            State::Blocked(_) => Status::Blocked,
            State::Promise => Status::Promise,
        })
    }

    /// Returns the things that a blocked task still waits for, in the order given; nothing for any
    /// other task.
    #[must_use]
    pub fn dependencies(&self, task: TaskId) -> Vec<Dependency> {
        match self.tasks.get(task) {
            Some(Task { state: State::Blocked(_), dependencies, .. }) => dependencies
                .as_slice()
                .iter()
                .copied()
                .filter(|&dependency| !self.is_computed(dependency))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the things that a task named before it blocked last, in the order given, computed or not.
    #[must_use]
    #[inline]
    pub fn awaited(&self, task: TaskId) -> &[Dependency] {
        self.tasks.get(task).map_or(&[], |task| task.dependencies.as_slice())
    }

    /// Returns whether a task has ended, or an item has its value.
    #[must_use]
    #[inline]
    pub fn is_computed(&self, dependency: Dependency) -> bool {
        match dependency {
            Dependency::Task(task) => !self.tasks.contains_key(task),
            Dependency::Item(item) => {
                self.batches.get(item.batch).is_none_or(|batch| batch.items.is_computed(item.index))
            }
        }
    }

    /// Returns whether a task other than `waiter` waits for `dependency`.
    #[must_use]
    pub fn is_awaited_by_others(&self, dependency: Dependency, waiter: TaskId) -> bool {
        let is_other = |wait: Waiter| wait.task != waiter && !is_stale(&self.tasks, wait);
        match dependency {
            Dependency::Task(task) => {
                let node = self.tasks.get(task);
                node.is_some_and(|node| node.waiters.as_slice().iter().any(|&wait| is_other(wait)))
            }
            Dependency::Item(item) => {
                let batch = self.batches.get(item.batch);
                batch.is_some_and(|batch| batch.items.waiters_of(item.index).any(is_other))
            }
        }
    }

    /// Returns the payloads of all tasks and promises that have not ended, in no particular order.
    pub fn tasks(&self) -> impl Iterator<Item = &H::Task> {
        self.tasks.values().map(|task| &task.payload)
    }

    /// Returns all tasks and promises that have not ended, in no particular order.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.keys()
    }

    /// Returns the number of tasks and promises that have not ended.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }
}

/// # 7. Look: batches
impl<H: Host> Engine<H> {
    /// Returns the value given to [`add_batch`](Self::add_batch); `None` after the batch was
    /// closed.
    #[must_use]
    pub fn batch(&self, batch: BatchId) -> Option<&H::Batch> {
        self.batches.get(batch).map(|batch| &batch.payload)
    }

    /// Returns whether a batch takes no more items: its flush has begun, or it was closed.
    #[must_use]
    pub fn is_flushed(&self, batch: BatchId) -> bool {
        !self.batches.get(batch).is_some_and(|batch| matches!(batch.state, BatchState::Open(_)))
    }

    /// Returns the number of items of a batch, those that are computed included and
    /// [duplicates](Engine::set_duplicates) excluded; 0 after it was closed.
    #[must_use]
    pub fn item_count(&self, batch: BatchId) -> usize {
        self.batches.get(batch).map_or(0, Batch::count)
    }

    /// Returns the payloads of all batches that are not closed, in no particular order.
    pub fn batches(&self) -> impl Iterator<Item = &H::Batch> {
        self.batches.values().map(|batch| &batch.payload)
    }

    /// Returns all batches that are not closed, in no particular order.
    pub fn batch_ids(&self) -> impl Iterator<Item = BatchId> {
        self.batches.keys()
    }

    /// Returns whether the innermost call drives a task, or the batch of an item.
    ///
    /// A front end whose tasks wait for something that another task has asked for finds out by this
    /// which of the requests it has to repeat.
    #[must_use]
    pub fn is_driven(&self, dependency: Dependency) -> bool {
        let needed_by = match dependency {
            // One that is new was named by a task which has not waited for it.
            Dependency::Task(task) => self
                .tasks
                .get(task)
                .filter(|task| !matches!(task.state, State::New))
                .map(|task| task.needed_by),
            Dependency::Item(item) => self.batches.get(item.batch).map(|batch| batch.needed_by),
        };
        needed_by.is_some_and(|frame| self.frames.is_innermost(frame))
    }

    /// Returns the number of batches that are not closed.
    #[must_use]
    pub fn batch_count(&self) -> usize {
        self.batches.len()
    }
}

/// # 7. Look: calls and contexts
impl<H: Host> Engine<H> {
    /// Returns the number of calls in progress.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.frames.depth()
    }

    /// Returns the tasks that were called, the outermost call first.
    pub fn called(&self) -> impl Iterator<Item = TaskId> {
        self.frames.roots()
    }

    /// Returns the task that runs now in the innermost call.
    #[must_use]
    pub fn running(&self) -> Option<TaskId> {
        self.frames.top().and_then(|frame| frame.running)
    }

    /// Returns whether the task that runs now was woken meanwhile ([`wake`](Self::wake)), so that it
    /// will run again instead of waiting.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        let running = self.running().and_then(|task| self.tasks.get(task));
        running.is_some_and(|task| matches!(task.state, State::Running { woken: true }))
    }

    /// Returns the value given to [`enter_context`](Self::enter_context); `None` after the context
    /// was left and nothing leads to it any more.
    #[must_use]
    pub fn context(&self, context: ContextId) -> Option<&H::Context> {
        self.contexts.payload(context)
    }

    /// Returns whether the task that entered a context is suspended in a synchronous call of its
    /// own: then it does not wait, although the call may pause the context.
    #[must_use]
    pub fn is_in_call(&self, context: ContextId) -> bool {
        let owner = self.contexts.owner(context);
        owner.is_some_and(|owner| self.frames.is_running(owner) && self.running() != Some(owner))
    }

    /// Returns the contexts that are active, the outermost first.
    #[must_use]
    pub fn active_contexts(&self) -> &[ContextId] {
        self.contexts.active()
    }
}
