//! The scheduler of a thread or greenlet: the engine, and what it needs of Python.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use asynq_engine::{ContextId, Engine, TaskId};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use slotmap::SecondaryMap;

use crate::batch::base::BatchBase;
use crate::batch::item;
use crate::event_loop::host::EventLoop;
use crate::ffi::interpreter::attached;
use crate::future::base::FutureBase;
use crate::imports;
use crate::loader::nodes::LoaderBatch;
use crate::scheduler::call_stack::CallStack;
use crate::scheduler::handle::TaskScheduler;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::job::{Job, PythonHost};
use crate::scheduler::starts::Start;
use crate::scheduler::variables::Variables;
use crate::task::async_task::AsyncTask;

/// A context, and the task that has entered it.
pub(super) struct EnteredContext {
    pub(super) context: Py<PyAny>,
    pub(super) task: Py<AsyncTask>,
}

impl EnteredContext {
    pub(super) fn release(self, py: Python<'_>) {
        self.context.drop_ref(py);
        self.task.drop_ref(py);
    }
}

/// The scheduler of a thread, of a greenlet that is not the main one of its thread, or of an event loop.
///
/// Between calls it holds nothing: tasks that a failed call leaves behind are taken out of the engine,
/// and added again when somebody asks for them, in whatever thread.
pub(crate) struct Scheduler {
    /// Number of this scheduler, from 1.
    id: Cell<u32>,
    engine: RefCell<Engine<PythonHost>>,
    pub(crate) call_stack: CallStack,
    pub(crate) variables: Variables,
    /// Number of nested calls that are guarded against endless recursion.
    pub(crate) depth: Cell<u32>,
    /// Contexts that the engine knows.
    pub(super) contexts: RefCell<SecondaryMap<ContextId, EnteredContext>>,
    handle: RefCell<Option<Py<TaskScheduler>>>,
    handles: Cell<u32>,
    /// Unfinished batches of loaders that were opened in the outermost call, by their addresses.
    pub(super) held_batches: RefCell<HashMap<usize, Py<LoaderBatch>>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(super) event_loop: Option<EventLoop>,
    /// Tasks that await others which are being started inline, the outermost first.
    pub(super) starts: RefCell<Vec<Start>>,
    /// Function that settles the state of the engine, while there are such tasks. Not called by name,
    /// because it is above the scheduler.
    pub(super) settle: Cell<Option<Settle>>,
    /// Error that ends the call, of a task that was started inline.
    pub(super) start_error: Cell<Option<Box<PyErr>>>,
    /// Number of tasks that start others inline, on the native stack.
    pub(crate) start_depth: Cell<u32>,
    /// Number of nested synchronous calls that are allowed to block an event loop.
    pub(crate) allowed_calls: Cell<u32>,
}

/// Function that brings about the state in which the engine would be without inline starts.
pub(crate) type Settle = fn(&Scheduler, Vec<Start>);

/// Returns a number for a new scheduler.
pub(crate) fn next_id() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Scheduler {
    /// Returns the event loop on which it runs.
    pub(crate) fn event_loop(&self) -> Option<&EventLoop> {
        self.event_loop.as_ref()
    }

    /// Returns whether the code of a task runs that the event loop drives, and not a synchronous call.
    pub(crate) fn is_in_task_of_loop(&self) -> bool {
        // The steps of a synchronous call are the only ones on the stack, too, but have a frame of theirs.
        self.event_loop.as_ref().is_some_and(|event_loop| event_loop.is_driving.get())
            && self.call_stack.is_one_task()
            && self.unsettled_engine().depth() == 1
    }

    pub(super) fn new(id: u32, event_loop: Option<EventLoop>) -> Self {
        let inbox = Arc::new(Inbox::default());
        Python::attach(|py| inbox.open(py, id));
        Self {
            id: Cell::new(id),
            engine: RefCell::new(Engine::new()),
            call_stack: CallStack::of(id),
            variables: Variables::default(),
            depth: Cell::new(0),
            contexts: RefCell::default(),
            handle: RefCell::new(None),
            handles: Cell::new(0),
            held_batches: RefCell::default(),
            inbox,
            event_loop,
            starts: RefCell::default(),
            settle: Cell::new(None),
            start_error: Cell::new(None),
            start_depth: Cell::new(0),
            allowed_calls: Cell::new(0),
        }
    }

    /// Returns the number of this scheduler.
    pub(crate) fn id(&self) -> u32 {
        self.id.get()
    }

    /// Begins anew as another scheduler after a panic, which is a bug in this crate, so that the thread
    /// stays usable.
    pub(crate) fn begin_anew(&self) {
        self.id.set(next_id());
        Python::attach(|py| self.inbox.open(py, self.id()));
        let engine = self.engine.replace(Engine::new());
        self.call_stack.clear();
        self.call_stack.set_scheduler(self.id());
        self.settle.set(None);
        let starts = self.starts.take();
        drop(starts);
        drop(engine);
    }

    /// Borrows the engine. No Python code may run meanwhile.
    #[inline]
    pub(crate) fn engine(&self) -> RefMut<'_, Engine<PythonHost>> {
        self.settle();
        self.engine.borrow_mut()
    }

    /// Borrows the engine for something that is the same whether tasks were started inline or not.
    #[inline]
    pub(crate) fn unsettled_engine(&self) -> RefMut<'_, Engine<PythonHost>> {
        self.engine.borrow_mut()
    }

    /// Forgets what is known of the call that has just ended, if it was the outermost.
    #[inline]
    pub(crate) fn end_call(&self, py: Python<'_>) {
        if self.variables.snapshots.any() {
            self.forget_snapshots(py);
        }
    }

    #[cold]
    fn forget_snapshots(&self, py: Python<'_>) {
        if self.call_stack.is_empty() {
            attached(py, || self.variables.snapshots.clear());
        }
    }

    /// Returns the object by which Python knows this scheduler.
    pub(crate) fn handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, TaskScheduler>> {
        if let Some(handle) = &*self.handle.borrow() {
            return Ok(handle.bind(py).clone());
        }
        let handle = Bound::new(py, TaskScheduler::of(py, self.id(), self.count_handle())?)?;
        let before = self.handle.replace(Some(handle.clone().unbind()));
        drop(before);
        Ok(handle)
    }

    /// Counts one more handle; returns the number of those before.
    pub(crate) fn count_handle(&self) -> u32 {
        self.handles.replace(self.handles.get() + 1)
    }

    /// Drops the handle: the next [`handle`](Self::handle) is a new one.
    pub(crate) fn reset_handle(&self) {
        let before = self.handle.take();
        drop(before);
    }

    /// Returns the handle, if there is one: it may have hooks. On an event loop, those of the thread count
    /// until it has a handle of its own.
    pub(crate) fn hooks<'py>(&self, py: Python<'py>) -> Option<Bound<'py, TaskScheduler>> {
        let handle = self.handle.borrow().as_ref().map(|handle| handle.bind(py).clone());
        if handle.is_none() && self.event_loop.is_some() {
            return Self::of_thread().hooks(py);
        }
        handle
    }

    /// Checks that an object belongs to this scheduler, or to none.
    ///
    /// # Errors
    ///
    /// `RuntimeError` if `object` belongs to the scheduler of another thread or greenlet.
    pub(crate) fn check_thread(
        &self,
        scheduler_id: u32,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if scheduler_id == 0 || scheduler_id == self.id() {
            return Ok(());
        }
        let class = imports::type_name(object);
        Err(PyRuntimeError::new_err(format!(
            "another thread or greenlet is running this {class}, which can't be awaited or called in this one: wait for \
             its value there, or make one here",
        )))
    }

    /// Returns what the engine runs under an id.
    #[inline]
    pub(crate) fn job(&self, py: Python<'_>, id: TaskId) -> Option<Job> {
        self.engine().task(id).map(|job| job.get(py))
    }

    /// Returns the tasks, and the other futures that a task waits for.
    pub(crate) fn jobs(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let engine = self.engine();
        let jobs = engine.tasks().filter_map(|job| match job.get(py) {
            Job::Task(task) => Some(task.into_any()),
            Job::Future(future) => Some(future.into_any()),
            Job::Call(_) | Job::Root => None,
        });
        jobs.collect()
    }

    /// Returns the batches of which an item is awaited.
    pub(crate) fn batches(&self, py: Python<'_>) -> Vec<Py<BatchBase>> {
        self.engine().batches().map(|batch| batch.clone_ref(py)).collect()
    }

    /// Takes everything out of the engine, after the outermost call.
    pub(crate) fn let_go(&self, py: Python<'_>) {
        let (jobs, batches) = self.engine().take_rest();
        for job in jobs {
            match job.get(py) {
                Job::Task(task) => {
                    self.variables.snapshots.keep(task.bind(py));
                    AsyncTask::suspend(task.bind(py));
                }
                Job::Future(future) => FutureBase::forget_scheduler(future.bind(py)),
                Job::Call(_) | Job::Root => {}
            }
        }
        for batch in batches {
            item::leave_behind(batch.bind(py), self.id());
        }
        let contexts = self.contexts.take();
        drop(contexts);
    }
}
