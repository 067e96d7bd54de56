//! Events: the steps of a scheduler, with names.

use std::fmt;
use std::rc::Rc;

use crate::call_stack::Call;

/// Step of the scheduler of a thread. Its `Display` form is one line.
///
/// Numbers identify the tasks, batches and contexts of a thread. The number of one that has ended is used
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A task or promise was requested for the first time.
    Created {
        /// The task.
        task: Task,
        /// Call of the task that created it; `None` outside of tasks.
        creator: Option<Call>,
    },
    /// A task runs for the first time.
    Started(Task),
    /// A task waits.
    Blocked {
        /// The task that waits.
        task: Task,
        /// Things that it waits for, in the order given; empty for a future from elsewhere.
        on: Vec<Awaited>,
    },
    /// A task was woken, since everything that it waited for is resolved.
    Woken(Task),
    /// A task runs again.
    Continued(Task),
    /// A task has ended with a value, or a promise was set.
    Finished(Task),
    /// A task has ended without a value: it panicked, was cancelled, or took part in a deadlock.
    Failed {
        /// The task.
        task: Task,
        /// The message of its [`TaskError`](crate::TaskError).
        message: String,
    },
    /// The running task enters a context, which is resumed.
    Entered(Context),
    /// A context is left; if it is active, it is paused.
    Left(Context),
    /// A context is paused, because something outside it runs next.
    Paused(Context),
    /// A context is resumed, because something inside it runs next.
    Resumed(Context),
    /// The flush of a batch begins.
    FlushBegan {
        /// The batch.
        batch: Batch,
        /// Number of its items.
        items: usize,
    },
    /// A flush has returned a future: the batch is in flight.
    FlushDeferred(Batch),
    /// All items of a batch are resolved.
    FlushEnded(Batch),
    /// A synchronous call began.
    Called {
        /// The task that was called.
        task: Task,
        /// Number of calls in progress, including this one.
        depth: usize,
    },
    /// A synchronous call ended.
    Returned {
        /// Number of calls that are still in progress.
        depth: usize,
    },
    /// The scheduler waits for a future from elsewhere, since no task can run.
    Waited,
    /// Tasks that could never have run again.
    Deadlocked(Vec<Task>),
}

/// A task, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Function and place of the call; `None` for a task that was created before the first listener was
    /// added, and has ended.
    pub call: Option<Call>,
    /// Number of the object.
    pub number: u64,
}

/// A batch, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The name that its source gave it.
    pub name: Rc<str>,
    /// Number of the object.
    pub number: u64,
}

/// A context, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Name by [`AsyncContext::name`](crate::AsyncContext::name).
    pub name: Rc<str>,
    /// Number of the object.
    pub number: u64,
}

/// Task or item that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The end of a task.
    Task(Task),
    /// The value of an item.
    Item {
        /// The batch that the item is in.
        batch: Batch,
        /// Index in the batch.
        index: usize,
    },
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            Some(call) => write!(f, "{} #{}", call.function, self.number),
            None => write!(f, "a task #{}", self.number),
        }
    }
}

impl Task {
    /// Formats the name, and the place where the task was created.
    pub(super) fn in_full(&self) -> String {
        match self.call {
            Some(call) => format!("{self}, {} at {}", call.verb(), call.at),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.name, self.number)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.name, self.number)
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => task.fmt(f),
            Self::Item { batch, index } => write!(f, "item {index} of {batch}"),
        }
    }
}

/// Names separated by commas.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { task, creator } => {
                write!(f, "new: {}", task.in_full())?;
                creator.map_or(Ok(()), |creator| write!(f, ", by {}", creator.function))
            }
            Self::Started(task) => write!(f, "start: {task}"),
            Self::Blocked { task, on } if on.is_empty() => {
                write!(f, "wait: {task}, from elsewhere")
            }
            Self::Blocked { task, on } => write!(f, "wait: {task} for {}", List(on)),
            Self::Woken(task) => write!(f, "wake: {task}"),
            Self::Continued(task) => write!(f, "go on: {task}"),
            Self::Finished(task) => write!(f, "end: {task}"),
            Self::Failed { task, message } => write!(f, "fail: {task}, {message}"),
            Self::Entered(context) => write!(f, "enter: {context}"),
            Self::Left(context) => write!(f, "leave: {context}"),
            Self::Paused(context) => write!(f, "pause: {context}"),
            Self::Resumed(context) => write!(f, "resume: {context}"),
            Self::FlushBegan { batch, items: 1 } => write!(f, "flush: {batch}, 1 item"),
            Self::FlushBegan { batch, items } => write!(f, "flush: {batch}, {items} items"),
            Self::FlushDeferred(batch) => write!(f, "in flight: {batch}"),
            Self::FlushEnded(batch) => write!(f, "flushed: {batch}"),
            Self::Called { task, depth } => write!(f, "call {depth}: {task}"),
            Self::Returned { depth } => write!(f, "return to {depth}"),
            Self::Waited => write!(f, "wait for something from elsewhere"),
            Self::Deadlocked(tasks) => write!(f, "deadlock: {}", List(tasks)),
        }
    }
}
