//! The names of what the scheduler tells of.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{BatchId, ContextId, Dependency, Event as EngineEvent, TaskId};

use super::event::{Awaited, Batch, Context, Event, Task};
use crate::batch::Flushable;
use crate::call_stack::Call;
use crate::context::AsyncContext;
use crate::scheduler::Scheduler;

/// The names of those who may have ended by the time that somebody hears of it, and more of what
/// the engine does not know. Each is forgotten when its end is told.
#[derive(Default)]
pub(super) struct Names {
    tasks: HashMap<TaskId, Call>,
    /// Why those that are about to end have no value.
    failures: HashMap<TaskId, String>,
    batches: HashMap<BatchId, Rc<str>>,
    /// The batches whose flush was told.
    flushing: HashSet<BatchId>,
    contexts: HashMap<ContextId, Rc<str>>,
}

impl Names {
    pub(super) fn forget_context(&mut self, context: ContextId) {
        self.contexts.remove(&context);
    }
}

impl Scheduler {
    /// An event of the engine in names; `None` if it is of no interest.
    pub(super) fn named(&self, event: EngineEvent) -> Option<Event> {
        Some(match event {
            EngineEvent::Created(task) => Event::Created {
                task: self.task_name(task),
                creator: self.engine().task(task).and_then(|task| task.creator()),
            },
            EngineEvent::Started(task) => Event::Started(self.task_name(task)),
            EngineEvent::Blocked { task, on } => Event::Blocked {
                task: self.task_name(task),
                on: on.into_iter().map(|on| self.awaited(on)).collect(),
            },
            EngineEvent::Woken(task) => Event::Woken(self.task_name(task)),
            EngineEvent::Continued(task) => Event::Continued(self.task_name(task)),
            EngineEvent::Finished(id) => {
                let task = self.task_name(id);
                let mut names = self.audience.names.borrow_mut();
                names.tasks.remove(&id);
                match names.failures.remove(&id) {
                    Some(message) => Event::Failed { task, message },
                    None => Event::Finished(task),
                }
            }
            EngineEvent::Paused(context) => Event::Paused(self.context_name(context)),
            EngineEvent::Resumed(context) => Event::Resumed(self.context_name(context)),
            EngineEvent::FlushBegan { batch, items } => {
                self.audience.names.borrow_mut().flushing.insert(batch);
                Event::FlushBegan { batch: self.batch_name(batch), items }
            }
            EngineEvent::FlushDeferred(batch) => Event::FlushDeferred(self.batch_name(batch)),
            EngineEvent::FlushEnded(id) => {
                let batch = self.batch_name(id);
                let mut names = self.audience.names.borrow_mut();
                names.batches.remove(&id);
                // A batch may also be given up before it is flushed.
                let flushing = names.flushing.remove(&id);
                return flushing.then_some(Event::FlushEnded(batch));
            }
            EngineEvent::Entered { root, depth } => {
                Event::Called { task: self.task_name(root), depth }
            }
            EngineEvent::Exited { depth } => Event::Returned { depth },
            EngineEvent::Waited => Event::Waited,
            EngineEvent::Deadlocked(tasks) => {
                Event::Deadlocked(tasks.into_iter().map(|task| self.task_name(task)).collect())
            }
        })
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

    /// Keeps what the engine is about to forget.
    #[cold]
    pub(super) fn note_name(&self, id: TaskId) {
        self.task_name(id);
        let failure = self.engine().task(id).and_then(|task| task.failure());
        if let Some(failure) = failure {
            self.audience.names.borrow_mut().failures.insert(id, failure.message().to_owned());
        }
    }

    pub(super) fn batch_name(&self, id: BatchId) -> Batch {
        let known = self.audience.names.borrow().batches.get(&id).cloned();
        let name = known.unwrap_or_else(|| {
            let batch = self.engine().batch(id).and_then(Weak::upgrade);
            let name = ask(batch, "a batch", Flushable::name);
            if self.audience.is_present() {
                self.audience.names.borrow_mut().batches.insert(id, Rc::clone(&name));
            }
            name
        });
        Batch { name, number: number(id) }
    }

    pub(super) fn context_name(&self, id: ContextId) -> Context {
        let known = self.audience.names.borrow().contexts.get(&id).cloned();
        let name = known.unwrap_or_else(|| {
            let context = self.engine().context(id).and_then(Weak::upgrade);
            let name = ask(context, "a context", AsyncContext::name);
            if self.audience.is_present() {
                self.audience.names.borrow_mut().contexts.insert(id, Rc::clone(&name));
            }
            name
        });
        Context { name, number: number(id) }
    }
}

/// The name that something gives itself, by code of the user's; `other` if it has gone, or that
/// fails.
fn ask<T: ?Sized>(
    whom: Option<Rc<T>>,
    other: &'static str,
    name: impl FnOnce(&T) -> String,
) -> Rc<str> {
    let name = catch_unwind(AssertUnwindSafe(|| whom.map(|whom| name(&whom))));
    name.ok().flatten().map_or(other.into(), Into::into)
}

/// The place of something in the engine.
fn number(id: impl slotmap::Key) -> u64 {
    // The version is in the upper half.
    id.data().as_ffi() & u64::from(u32::MAX)
}
