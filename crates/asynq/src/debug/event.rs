//! What the scheduler of a thread does, told to those who listen.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{BatchId, Dependency, Event as EngineEvent, TaskId};

use crate::scheduler::{self, Scheduler};
use crate::stack::Call;

/// One step of the scheduler of a thread. Its `Display` form is a line.
///
/// Numbers tell tasks, batches and contexts of a thread apart; one that has ended gives its number
/// to another later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A task was asked for the first time, or a promise.
    Created(Task),
    /// A task runs for the first time.
    Started(Task),
    /// A task waits.
    Blocked {
        /// The task that waits.
        task: Task,
        /// What it waits for, in the order given: empty if that is a future from elsewhere.
        on: Vec<Awaited>,
    },
    /// What a task waited for is there.
    Woken(Task),
    /// A task runs again.
    Continued(Task),
    /// A task has ended, or a promise was set.
    Finished(Task),
    /// A context was paused, because something outside it runs next.
    Paused {
        /// The number of the context.
        context: u64,
    },
    /// A context was resumed, because something inside it runs next.
    Resumed {
        /// The number of the context.
        context: u64,
    },
    /// The flush of a batch begins.
    FlushBegan {
        /// The batch.
        batch: Batch,
        /// How many items it has.
        items: usize,
    },
    /// A flush was sent; the values come later.
    FlushDeferred(Batch),
    /// Every item of a batch has its value or error.
    FlushEnded(Batch),
    /// A synchronous call began.
    Called {
        /// The task that was called.
        task: Task,
        /// How many calls are under way, this one included.
        depth: usize,
    },
    /// A synchronous call ended.
    Returned {
        /// How many calls are still under way.
        depth: usize,
    },
    /// Nothing can be done before something happens outside: a future from elsewhere is awaited.
    Waited,
    /// These tasks could never have run again.
    Deadlocked(Vec<Task>),
}

/// A task, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which function was called, and where; `None` of a task that was there before anybody
    /// listened, and ended since.
    pub call: Option<Call>,
    /// Its number.
    pub number: u64,
}

/// A batch, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The name that its source gave it.
    pub name: Rc<str>,
    /// Its number.
    pub number: u64,
}

/// Something that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The end of a task.
    Task(Task),
    /// The value of an item.
    Item {
        /// The batch that the item is in.
        batch: Batch,
        /// Its place there, from 0.
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

impl fmt::Display for Batch {
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

/// Names with commas between.
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
            Self::Created(task) => match task.call {
                Some(call) => write!(f, "new: {task}, {} at {}", call.verb(), call.at),
                None => write!(f, "new: {task}"),
            },
            Self::Started(task) => write!(f, "start: {task}"),
            Self::Blocked { task, on } if on.is_empty() => {
                write!(f, "wait: {task}, from elsewhere")
            }
            Self::Blocked { task, on } => write!(f, "wait: {task} for {}", List(on)),
            Self::Woken(task) => write!(f, "wake: {task}"),
            Self::Continued(task) => write!(f, "go on: {task}"),
            Self::Finished(task) => write!(f, "end: {task}"),
            Self::Paused { context } => write!(f, "pause: context #{context}"),
            Self::Resumed { context } => write!(f, "resume: context #{context}"),
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

/// Calls `listener` with each step of this thread's scheduler, as long as the guard lives.
///
/// It is called between the steps: before the code of a task, a flush or a context runs. What it
/// does itself with futures of this crate is not told. Nobody listening costs nothing.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// let flushes = Rc::new(RefCell::new(Vec::new()));
/// let guard = debug::listen({
///     let flushes = Rc::clone(&flushes);
///     move |event| if let debug::Event::FlushBegan { batch, items } = event {
///         flushes.borrow_mut().push((batch.name.to_string(), *items));
///     }
/// });
/// AsyncTask::new(async { debug::sync().await }).value();
/// assert_eq!(*flushes.borrow(), [("sync(\"default\")".to_owned(), 1)]);
/// ```
#[must_use = "listening ends when the guard is dropped"]
pub fn listen(listener: impl FnMut(&Event) + 'static) -> Listening {
    let listener: Rc<Listener> = Rc::new(RefCell::new(listener));
    scheduler::with(|scheduler| {
        scheduler.audience.add(&listener);
        scheduler.engine().listen(true);
    });
    Listening { _listener: listener }
}

/// Ends what [`listen`] began, when it is dropped.
#[must_use = "listening ends when it is dropped"]
pub struct Listening {
    /// The scheduler has only a weak reference.
    _listener: Rc<Listener>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}

type Listener = RefCell<dyn FnMut(&Event)>;

/// Those who listen to a scheduler.
#[derive(Default)]
pub(crate) struct Audience {
    /// Whether there may be somebody.
    present: Cell<bool>,
    /// Whether they are told something now.
    telling: Cell<bool>,
    listeners: RefCell<Vec<Weak<Listener>>>,
    /// The names of those who have ended by the time that somebody hears of it.
    names: RefCell<Names>,
}

#[derive(Default)]
struct Names {
    tasks: HashMap<TaskId, Call>,
    batches: HashMap<BatchId, Rc<str>>,
}

impl Audience {
    fn add(&self, listener: &Rc<Listener>) {
        self.listeners.borrow_mut().push(Rc::downgrade(listener));
        self.present.set(true);
    }

    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        self.present.get()
    }
}

impl Scheduler {
    /// Tells what has happened since the last time. Nothing is borrowed when this is called.
    #[inline]
    pub(crate) fn tell(&self) {
        if self.audience.is_present() {
            self.tell_audience();
        }
    }

    #[cold]
    fn tell_audience(&self) {
        let audience = &self.audience;
        // What a listener does is not told.
        let outermost = !audience.telling.replace(true);
        loop {
            let event = self.engine().poll_event();
            let Some(event) = event else { break };
            let event = self.named(event);
            if !outermost {
                continue;
            }
            let listeners: Vec<_> =
                audience.listeners.borrow().iter().filter_map(Weak::upgrade).collect();
            if listeners.is_empty() {
                audience.present.set(false);
                audience.names.take();
                audience.listeners.take();
                self.engine().listen(false);
                break;
            }
            for listener in listeners {
                // Its panic is nobody's to receive, and ends with what the panic hook has printed.
                drop(catch_unwind(AssertUnwindSafe(|| (listener.borrow_mut())(&event))));
            }
        }
        if outermost {
            audience.telling.set(false);
        }
    }

    fn named(&self, event: EngineEvent) -> Event {
        match event {
            EngineEvent::Created(task) => Event::Created(self.task_name(task)),
            EngineEvent::Started(task) => Event::Started(self.task_name(task)),
            EngineEvent::Blocked { task, on } => Event::Blocked {
                task: self.task_name(task),
                on: on.into_iter().map(|on| self.awaited(on)).collect(),
            },
            EngineEvent::Woken(task) => Event::Woken(self.task_name(task)),
            EngineEvent::Continued(task) => Event::Continued(self.task_name(task)),
            EngineEvent::Finished(task) => {
                let name = self.task_name(task);
                self.audience.names.borrow_mut().tasks.remove(&task);
                Event::Finished(name)
            }
            EngineEvent::Paused(context) => Event::Paused { context: number(context) },
            EngineEvent::Resumed(context) => Event::Resumed { context: number(context) },
            EngineEvent::FlushBegan { batch, items } => {
                Event::FlushBegan { batch: self.batch_name(batch), items }
            }
            EngineEvent::FlushDeferred(batch) => Event::FlushDeferred(self.batch_name(batch)),
            EngineEvent::FlushEnded(batch) => {
                let name = self.batch_name(batch);
                self.audience.names.borrow_mut().batches.remove(&batch);
                Event::FlushEnded(name)
            }
            EngineEvent::Entered { root, depth } => {
                Event::Called { task: self.task_name(root), depth }
            }
            EngineEvent::Exited { depth } => Event::Returned { depth },
            EngineEvent::Waited => Event::Waited,
            EngineEvent::Deadlocked(tasks) => {
                Event::Deadlocked(tasks.into_iter().map(|task| self.task_name(task)).collect())
            }
        }
    }

    pub(super) fn awaited(&self, on: Dependency) -> Awaited {
        match on {
            Dependency::Task(task) => Awaited::Task(self.task_name(task)),
            Dependency::Item(item) => {
                Awaited::Item { batch: self.batch_name(item.batch), index: item.index as usize }
            }
        }
    }

    pub(super) fn task_name(&self, id: TaskId) -> Task {
        let living = self.engine().task(id).map(|task| task.call());
        let mut names = self.audience.names.borrow_mut();
        if let Some(call) = living
            && self.audience.is_present()
        {
            names.tasks.insert(id, call);
        }
        let call = living.or_else(|| names.tasks.get(&id).copied());
        Task { call, number: number(id) }
    }

    pub(super) fn batch_name(&self, id: BatchId) -> Batch {
        let known = self.audience.names.borrow().batches.get(&id).cloned();
        let name = known.unwrap_or_else(|| {
            let batch = self.engine().batch(id).and_then(Weak::upgrade);
            // The name is the user's code.
            let name = catch_unwind(AssertUnwindSafe(|| batch.map(|batch| batch.name())));
            let name: Rc<str> = name.ok().flatten().map_or("a batch".into(), Into::into);
            if self.audience.is_present() {
                self.audience.names.borrow_mut().batches.insert(id, Rc::clone(&name));
            }
            name
        });
        Batch { name, number: number(id) }
    }
}

/// The place of something in the engine.
fn number(id: impl slotmap::Key) -> u64 {
    // The version is in the upper half.
    id.data().as_ffi() & u64::from(u32::MAX)
}
