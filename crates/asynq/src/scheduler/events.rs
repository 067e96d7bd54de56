//! Reports of the scheduler's steps to event listeners, in names.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use asynq_engine::{BatchId, ContextId, Dependency, Event as EngineEvent, TaskId};

use super::payload::Flushable;
use super::state::Scheduler;
use crate::context::AsyncContext;
use crate::debug::{Awaited, Batch, Context, Event, Task};
use crate::recording;

/// # Reports
impl Scheduler {
    /// Reports the events since the last report. Nothing is borrowed when this is called.
    #[inline]
    pub(crate) fn report_events(&self) {
        if self.event_listeners.is_present() {
            self.report_engine_events();
        }
    }

    #[cold]
    fn report_engine_events(&self) {
        if !self.event_listeners.retain_living() {
            self.engine().listen(false);
            return;
        }
        let mut events = Vec::new();
        loop {
            let event = self.engine().poll_event();
            let Some(event) = event else { break };
            events.extend(self.named(event));
        }
        self.event_listeners.call(&events);
    }

    /// Reports that the running task enters `context`.
    pub(crate) fn report_entered(&self, context: ContextId) {
        if recording::is_on() {
            let name = self.context_name(context).name;
            recording::entered(context, &name);
        }
        if self.event_listeners.is_present() {
            self.report_events();
            self.event_listeners.call(&[Event::Entered(self.context_name(context))]);
        }
    }

    /// Reports that `context` is about to be left.
    pub(super) fn report_left(&self, context: ContextId) {
        if recording::is_on() {
            recording::left(context);
        }
        if self.event_listeners.is_present() {
            self.report_events();
            let name = self.context_name(context);
            self.event_listeners.names.borrow_mut().contexts.remove(&context);
            self.event_listeners.call(&[Event::Left(name)]);
        }
    }

    /// Remembers the name and failure of a task that is about to end, since the engine forgets it
    /// before its end is reported.
    #[inline]
    pub(super) fn remember_ending(&self, task: TaskId) {
        if self.event_listeners.is_present() {
            self.remember_name_and_failure(task);
        }
    }

    #[cold]
    fn remember_name_and_failure(&self, id: TaskId) {
        self.task_name(id);
        let failure = self.engine().task(id).and_then(|task| task.failure());
        if let Some(failure) = failure {
            let mut names = self.event_listeners.names.borrow_mut();
            names.failures.insert(id, failure.message().to_owned());
        }
    }
}

/// # Names
impl Scheduler {
    /// Translates an event of the engine; `None` if it is of no interest to listeners.
    fn named(&self, event: EngineEvent) -> Option<Event> {
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
                let mut names = self.event_listeners.names.borrow_mut();
                names.tasks.remove(&id);
                match names.failures.remove(&id) {
                    Some(message) => Event::Failed { task, message },
                    None => Event::Finished(task),
                }
            }
            EngineEvent::Paused(context) => Event::Paused(self.context_name(context)),
            EngineEvent::Resumed(context) => Event::Resumed(self.context_name(context)),
            EngineEvent::FlushBegan { batch, items } => {
                self.event_listeners.names.borrow_mut().flushing.insert(batch);
                Event::FlushBegan { batch: self.batch_name(batch), items }
            }
            EngineEvent::FlushDeferred(batch) => Event::FlushDeferred(self.batch_name(batch)),
            EngineEvent::FlushEnded(id) => {
                let batch = self.batch_name(id);
                let mut names = self.event_listeners.names.borrow_mut();
                names.batches.remove(&id);
                // A batch may also be cancelled or dropped before it is flushed.
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

    pub(crate) fn awaited(&self, on: Dependency) -> Awaited {
        match on {
            Dependency::Task(task) => Awaited::Task(self.task_name(task)),
            Dependency::Item(item) => {
                Awaited::Item { batch: self.batch_name(item.batch), index: item.index as usize }
            }
        }
    }

    pub(crate) fn task_name(&self, id: TaskId) -> Task {
        let living = self.engine().task(id).map(|task| task.call());
        let mut names = self.event_listeners.names.borrow_mut();
        if let Some(call) = living
            && self.event_listeners.is_present()
        {
            names.tasks.insert(id, call);
        }
        let call = living.or_else(|| names.tasks.get(&id).copied());
        Task { call, number: number(id) }
    }

    pub(crate) fn batch_name(&self, id: BatchId) -> Batch {
        let known = self.event_listeners.names.borrow().batches.get(&id).cloned();
        let name = known.unwrap_or_else(|| {
            let batch = self.engine().batch(id).and_then(Weak::upgrade);
            let name = call_name(batch, "a batch", Flushable::name);
            if self.event_listeners.is_present() {
                self.event_listeners.names.borrow_mut().batches.insert(id, Rc::clone(&name));
            }
            name
        });
        Batch { name, number: number(id) }
    }

    fn context_name(&self, id: ContextId) -> Context {
        let known = self.event_listeners.names.borrow().contexts.get(&id).cloned();
        let name = known.unwrap_or_else(|| {
            let context = self.engine().context(id).and_then(Weak::upgrade);
            let name = call_name(context, "a context", AsyncContext::name);
            if self.event_listeners.is_present() {
                self.event_listeners.names.borrow_mut().contexts.insert(id, Rc::clone(&name));
            }
            name
        });
        Context { name, number: number(id) }
    }
}

/// Calls `name`, which is code of users. Returns `default` if the object is gone, or `name` panics.
fn call_name<T: ?Sized>(
    object: Option<Rc<T>>,
    default: &'static str,
    name: impl FnOnce(&T) -> String,
) -> Rc<str> {
    let name = catch_unwind(AssertUnwindSafe(|| object.map(|object| name(&object))));
    name.ok().flatten().map_or(default.into(), Into::into)
}

/// Returns the index of an object in the engine, without its version.
fn number(id: impl slotmap::Key) -> u64 {
    id.data().as_ffi() & u64::from(u32::MAX)
}
