//! The scheduler of a thread or greenlet: the engine, and what it needs of Python.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use asynq_engine::{BatchId, ContextId, Dependency, Engine, Host, ItemId, TaskId};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyWeakrefReference};
use slotmap::SecondaryMap;

use crate::batch::base::BatchBase;
use crate::batch::item;
use crate::batch::priority::BatchPriority;
use crate::event_loop::call::AsyncioCall;
use crate::event_loop::host::EventLoop;
use crate::event_loop::per_loop::{self, PerLoop};
use crate::ffi::interpreter::attached;
use crate::ffi::thread_exit;
use crate::future::base::FutureBase;
use crate::imports;
use crate::loader::nodes::LoaderBatch;
use crate::options;
use crate::scheduler::call_stack::CallStack;
use crate::scheduler::greenlets::{self, PerGreenlet};
use crate::scheduler::handle::TaskScheduler;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::running::running_loop;
use crate::scheduler::starts::{Blocked, Start};
use crate::scheduler::variables::Variables;
use crate::task::async_task::{AsyncTask, Entered, Origin};

/// The types that this front end puts into the engine.
pub(crate) struct Python;

impl Host for Python {
    type Task = PackedJob;
    type Batch = Py<BatchBase>;
    /// The context itself is in [`Scheduler::contexts`]: the engine may drop this at any time, and
    /// a Python object runs code when it dies.
    type Context = ();
    type Priority = BatchPriority;
}

/// A context, and the task that has entered it.
struct EnteredContext {
    context: Py<PyAny>,
    task: Py<AsyncTask>,
}

impl EnteredContext {
    fn release(self, py: pyo3::Python<'_>) {
        self.context.drop_ref(py);
        self.task.drop_ref(py);
    }
}

/// A unit of work that the engine runs.
pub(crate) enum Job {
    Task(Py<AsyncTask>),
    /// A future of another kind, that a task waits for.
    Future(Py<FutureBase>),
    /// A call from asyncio.
    Call(Py<AsyncioCall>),
    /// The root of everything that is awaited on an event loop.
    Root,
}

/// A [`Job`] as the engine keeps it, in one word: its class says what the object is.
pub(crate) struct PackedJob(Option<Py<PyAny>>);

impl From<Job> for PackedJob {
    #[inline]
    fn from(job: Job) -> Self {
        Self(match job {
            Job::Task(task) => Some(task.into_any()),
            Job::Future(future) => Some(future.into_any()),
            Job::Call(call) => Some(call.into_any()),
            Job::Root => None,
        })
    }
}

impl PackedJob {
    #[inline]
    pub(crate) fn get(&self, py: pyo3::Python<'_>) -> Job {
        let Some(object) = &self.0 else { return Job::Root };
        let object = object.bind(py);
        if let Ok(task) = object.cast_exact::<AsyncTask>() {
            return Job::Task(task.clone().unbind());
        }
        Self::of_another(object)
    }

    #[cold]
    fn of_another(object: &Bound<'_, PyAny>) -> Job {
        if let Ok(task) = object.cast::<AsyncTask>() {
            Job::Task(task.clone().unbind())
        } else if let Ok(future) = object.cast::<FutureBase>() {
            Job::Future(future.clone().unbind())
        } else if let Ok(call) = object.cast::<AsyncioCall>() {
            Job::Call(call.clone().unbind())
        } else {
            unreachable!("it was packed")
        }
    }

    /// Returns whether it is a call from asyncio.
    pub(crate) fn is_call(&self, py: pyo3::Python<'_>) -> bool {
        self.0.as_ref().is_some_and(|object| object.bind(py).is_exact_instance_of::<AsyncioCall>())
    }

    /// Gives up the object.
    #[inline]
    pub(crate) fn release(self, py: pyo3::Python<'_>) {
        if let Some(object) = self.0 {
            object.drop_ref(py);
        }
    }
}

/// The scheduler of a thread, of a greenlet that is not the main one of its thread, or of an event loop.
///
/// Between calls it holds nothing: tasks that a failed call leaves behind are taken out of the engine,
/// and added again when somebody asks for them, in whatever thread.
pub(crate) struct Scheduler {
    /// Number of this scheduler, from 1.
    id: Cell<u32>,
    engine: RefCell<Engine<Python>>,
    pub(crate) call_stack: CallStack,
    pub(crate) variables: Variables,
    /// Number of nested calls that are guarded against endless recursion.
    pub(crate) depth: Cell<u32>,
    /// Contexts that the engine knows.
    contexts: RefCell<SecondaryMap<ContextId, EnteredContext>>,
    handle: RefCell<Option<Py<TaskScheduler>>>,
    handles: Cell<u32>,
    /// Unfinished batches of loaders that were opened in the outermost call, by their addresses.
    held_batches: RefCell<HashMap<usize, Py<LoaderBatch>>>,
    pub(crate) inbox: Arc<Inbox>,
    event_loop: Option<EventLoop>,
    /// Tasks that await others which are being started inline, the outermost first.
    starts: RefCell<Vec<Start>>,
    /// Function that settles the state of the engine, while there are such tasks. Not called by name,
    /// because it is above the scheduler.
    settle: Cell<Option<Settle>>,
    /// Error that ends the call, of a task that was started inline.
    start_error: Cell<Option<Box<PyErr>>>,
    /// Number of tasks that start others inline, on the native stack.
    pub(crate) start_depth: Cell<u32>,
    /// Number of nested synchronous calls that are allowed to block an event loop.
    pub(crate) allowed_calls: Cell<u32>,
}

/// Function that brings about the state in which the engine would be without inline starts.
pub(crate) type Settle = fn(&Scheduler, Vec<Start>);

thread_local! {
    static SCHEDULERS: PerGreenlet<Scheduler> = const { PerGreenlet::new() };
    static LOOPS: PerLoop<Scheduler> = const { PerLoop::new() };
}

fn next_id() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Scheduler {
    /// Returns the scheduler of the event loop that runs in this thread, if it has one, or else that of
    /// this thread or greenlet.
    #[inline]
    pub(crate) fn current() -> Rc<Self> {
        if per_loop::are_used()
            && let Some(scheduler) = Self::of_running_loop()
        {
            return scheduler;
        }
        Self::of_thread()
    }

    /// Returns the scheduler of this thread or greenlet, apart from its event loops.
    #[inline]
    pub(crate) fn of_thread() -> Rc<Self> {
        if greenlets::are_loaded()
            && let Some(scheduler) = Self::of_greenlet()
        {
            return scheduler;
        }
        SCHEDULERS.with(|schedulers| {
            Rc::clone(schedulers.of_main().get_or_init(|| {
                thread_exit::protect();
                Rc::new(Self::new(next_id(), None))
            }))
        })
    }

    /// Returns the scheduler of the event loop that runs in this thread. A greenlet inside of a loop has
    /// one of its own.
    fn of_running_loop() -> Option<Rc<Self>> {
        LOOPS.with(|loops| {
            if loops.is_empty() {
                return None;
            }
            pyo3::Python::attach(|py| {
                if let Some(driven) = loops.driven(py) {
                    return Some(driven);
                }
                if greenlets::are_loaded() && greenlets::current(py).ok()?.is_some() {
                    return None;
                }
                loops.of(&running_loop(py).ok()??)
            })
        })
    }

    /// Returns the scheduler of an event loop of this thread.
    pub(crate) fn of_loop(event_loop: &Bound<'_, PyAny>) -> Option<Rc<Self>> {
        LOOPS.with(|loops| loops.of(event_loop))
    }

    /// Returns the scheduler with this number, if it is that of an event loop of this thread.
    pub(crate) fn with_loop(id: u32) -> Option<Rc<Self>> {
        LOOPS.try_with(|loops| loops.with_id(id)).ok().flatten()
    }

    /// Returns a number for a new scheduler.
    pub(crate) fn new_id() -> u32 {
        next_id()
    }

    /// Adds the scheduler of an event loop, to which `reference` is a weak reference.
    pub(crate) fn add_loop(
        event_loop: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
        id: u32,
        host: EventLoop,
    ) -> Rc<Self> {
        thread_exit::protect();
        let py = event_loop.py();
        let scheduler = Rc::new(Self::new(id, Some(host)));
        if let Some(host) = &scheduler.event_loop {
            scheduler.inbox.wake_loop(py, reference.clone_ref(py), host.driver(py).unbind());
        }
        LOOPS.with(|loops| loops.add(event_loop, reference, id, Rc::clone(&scheduler)));
        scheduler
    }

    /// Ends the scheduler of an event loop that is closed.
    pub(crate) fn end_loop(py: pyo3::Python<'_>, id: u32) {
        let removed = LOOPS.try_with(|loops| loops.remove(id)).ok().flatten();
        let Some(scheduler) = removed else { return };
        let Some(event_loop) = &scheduler.event_loop else { return };
        let rest = event_loop.take_rest();
        if event_loop.root.take().is_some() {
            let mut engine = scheduler.engine();
            while engine.depth() > 0 {
                engine.abandon();
                engine.exit();
            }
        }
        drop(rest);
        scheduler.let_go(py);
        scheduler.release_batches(py);
    }

    /// Notes that a callback of the event loop drives this scheduler.
    pub(crate) fn begin_drive(self: &Rc<Self>, py: pyo3::Python<'_>) {
        LOOPS.with(|loops| loops.begin_drive(py, Rc::clone(self)));
    }

    /// Notes that the drive has ended that began last.
    pub(crate) fn end_drive() {
        let _ = LOOPS.try_with(PerLoop::end_drive);
    }

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

    fn new(id: u32, event_loop: Option<EventLoop>) -> Self {
        let inbox = Arc::new(Inbox::default());
        pyo3::Python::attach(|py| inbox.open(py, id));
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

    /// Returns the scheduler of this greenlet, unless it is the main one of its thread.
    #[cold]
    fn of_greenlet() -> Option<Rc<Self>> {
        pyo3::Python::attach(|py| {
            let greenlet = match greenlets::current(py) {
                Ok(greenlet) => greenlet?,
                Err(error) => {
                    error.write_unraisable(py, None);
                    return None;
                }
            };
            let known = SCHEDULERS.with(|schedulers| schedulers.of(&greenlet));
            known.or_else(|| match Self::add_for(&greenlet) {
                Ok(scheduler) => Some(scheduler),
                Err(error) => {
                    error.write_unraisable(py, Some(&greenlet));
                    None
                }
            })
        })
    }

    /// Makes the scheduler of a greenlet, which goes when the greenlet does.
    fn add_for(greenlet: &Bound<'_, PyAny>) -> PyResult<Rc<Self>> {
        thread_exit::protect();
        let py = greenlet.py();
        let address = greenlet.as_ptr() as usize;
        let remove = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let reference = args.get_item(0)?;
            // The thread may be ending, its locals gone.
            let _ = SCHEDULERS.try_with(|schedulers| schedulers.remove(&reference, address));
            PyResult::Ok(())
        };
        let remove = PyCFunction::new_closure(py, None, None, remove)?;
        let reference = PyWeakrefReference::new_with(greenlet, remove)?;
        let scheduler = Rc::new(Self::new(next_id(), None));
        SCHEDULERS.with(|schedulers| {
            schedulers.add(&reference, address, scheduler.id(), Rc::clone(&scheduler));
        });
        Ok(scheduler)
    }

    /// Runs `function` with the scheduler of the main greenlet of this thread, if it has this number.
    #[inline]
    fn with_main<R>(scheduler_id: u32, function: impl FnOnce(&Self) -> R) -> Option<R> {
        SCHEDULERS
            .try_with(|schedulers| {
                let main = schedulers.of_main().get().filter(|main| main.id() == scheduler_id)?;
                Some(function(main))
            })
            .ok()
            .flatten()
    }

    /// Returns the scheduler with this number, if it is one of this thread.
    fn at(scheduler_id: u32) -> Option<Rc<Self>> {
        let has_number = |scheduler: &Rc<Self>| scheduler.id() == scheduler_id;
        SCHEDULERS
            .try_with(|schedulers| {
                let of_main = schedulers.of_main().get().filter(|main| has_number(main));
                of_main.cloned().or_else(|| schedulers.with_id(scheduler_id).filter(has_number))
            })
            .ok()
            .flatten()
            .or_else(|| per_loop::are_used().then(|| Self::with_loop(scheduler_id))?)
    }

    /// Returns the number of this scheduler.
    pub(crate) fn id(&self) -> u32 {
        self.id.get()
    }

    /// Begins anew as another scheduler after a panic, which is a bug in this crate, so that the thread
    /// stays usable.
    pub(crate) fn begin_anew(&self) {
        self.id.set(next_id());
        pyo3::Python::attach(|py| self.inbox.open(py, self.id()));
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
    pub(crate) fn engine(&self) -> RefMut<'_, Engine<Python>> {
        self.settle();
        self.engine.borrow_mut()
    }

    /// Borrows the engine for something that is the same whether tasks were started inline or not.
    #[inline]
    pub(crate) fn unsettled_engine(&self) -> RefMut<'_, Engine<Python>> {
        self.engine.borrow_mut()
    }

    /// Forgets what is known of the call that has just ended, if it was the outermost.
    #[inline]
    pub(crate) fn end_call(&self, py: pyo3::Python<'_>) {
        if self.variables.snapshots.any() {
            self.forget_snapshots(py);
        }
    }

    #[cold]
    fn forget_snapshots(&self, py: pyo3::Python<'_>) {
        if self.call_stack.is_empty() {
            attached(py, || self.variables.snapshots.clear());
        }
    }

    /// Returns the object by which Python knows this scheduler.
    pub(crate) fn handle<'py>(&self, py: pyo3::Python<'py>) -> PyResult<Bound<'py, TaskScheduler>> {
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
    pub(crate) fn hooks<'py>(&self, py: pyo3::Python<'py>) -> Option<Bound<'py, TaskScheduler>> {
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

    /// Holds an open batch until it has ended or the outermost call is over, so that the garbage
    /// collector may pass over its loads. Returns the number of this scheduler, 0 if there is no call.
    pub(crate) fn hold_batch(&self, batch: &Bound<'_, LoaderBatch>) -> u32 {
        if self.call_stack.is_empty() {
            return 0;
        }
        self.held_batches.borrow_mut().insert(batch.as_ptr() as usize, batch.clone().unbind());
        self.id()
    }

    /// Releases a batch that has ended: its loads are resolved, and on the collector's lists again.
    pub(crate) fn release_batch(batch: &Bound<'_, LoaderBatch>) {
        let Some(scheduler) = Self::at(LoaderBatch::take_holder(batch)) else { return };
        let before = scheduler.held_batches.borrow_mut().remove(&(batch.as_ptr() as usize));
        drop(before);
    }

    /// Releases the batches that were held, since the outermost call is over.
    #[inline]
    pub(crate) fn release_batches(&self, py: pyo3::Python<'_>) {
        if !self.held_batches.borrow().is_empty() {
            self.release_all_batches(py);
        }
    }

    #[cold]
    fn release_all_batches(&self, py: pyo3::Python<'_>) {
        for batch in self.held_batches.take().into_values() {
            LoaderBatch::released(&batch.into_bound(py));
        }
    }

    /// Tells the engine of futures that other threads have resolved.
    #[inline]
    pub(crate) fn read_inbox(&self, py: pyo3::Python<'_>) {
        for on in self.inbox.take_resolved(py, self.id()) {
            self.computed(py, on);
        }
    }

    fn computed(&self, py: pyo3::Python<'_>, on: Dependency) {
        match on {
            Dependency::Task(task) => self.complete_here(py, task),
            Dependency::Item(item) => self.engine().complete_item(item),
        }
    }

    /// Tells the engine that a task or promise of this scheduler is resolved.
    #[inline]
    pub(crate) fn complete_here(&self, py: pyo3::Python<'_>, task: TaskId) {
        let job = self.engine().complete(task);
        if let Some(job) = job {
            job.release(py);
        }
    }

    fn post(py: pyo3::Python<'_>, scheduler_id: u32, on: Dependency) {
        let of_thread = |scheduler: &Self| {
            scheduler.computed(py, on);
            scheduler.nudge();
        };
        if Self::with_main(scheduler_id, of_thread).is_some() {
            return;
        }
        match Self::at(scheduler_id) {
            Some(scheduler) => {
                scheduler.computed(py, on);
                scheduler.nudge();
            }
            None if scheduler_id == 0 => {}
            None => {
                if let Some(inbox) = Inbox::of(py, scheduler_id) {
                    inbox.post(py, scheduler_id, on);
                }
            }
        }
    }

    /// Wakes this scheduler, which is one of this thread, if it waits: in another greenlet, or below a
    /// signal handler.
    #[inline]
    fn nudge(&self) {
        if let Some(event_loop) = &self.event_loop {
            // A closed loop runs nothing any more.
            pyo3::Python::attach(|py| _ = event_loop.schedule(py));
        }
        if self.inbox.is_asleep() {
            pyo3::Python::attach(|py| self.inbox.nudge(py));
        }
    }

    /// Tells the scheduler with this number that a task or promise is resolved.
    pub(crate) fn complete(py: pyo3::Python<'_>, scheduler_id: u32, task: TaskId) {
        Self::post(py, scheduler_id, task.into());
    }

    /// Tells the scheduler with this number that an item is resolved.
    #[inline]
    pub(crate) fn complete_item(py: pyo3::Python<'_>, scheduler_id: u32, item: ItemId) {
        Self::post(py, scheduler_id, item.into());
    }

    /// Adds `count` items to a batch. Returns whether the scheduler with this number is that of this
    /// thread.
    pub(crate) fn add_items(scheduler_id: u32, batch: BatchId, count: u32) -> bool {
        let add = |scheduler: &Self| {
            let mut engine = scheduler.unsettled_engine();
            (0..count).for_each(|_| _ = engine.add_item(batch));
        };
        Self::with_main(scheduler_id, add)
            .or_else(|| Self::at(scheduler_id).map(|scheduler| add(&scheduler)))
            .is_some()
    }

    /// Tells the engine that a batch is flushed. Returns the batch if that is out of turn, and the
    /// scheduler is that of this greenlet.
    pub(crate) fn begin_flush(scheduler_id: u32, batch: BatchId) -> Option<BatchId> {
        let scheduler = Self::at(scheduler_id)?;
        let is_out_of_turn = scheduler.engine().begin_flush(batch);
        if greenlets::are_loaded() && Self::current().id() != scheduler_id {
            // The values come from another greenlet.
            scheduler.engine().defer(batch, None);
            return None;
        }
        is_out_of_turn.then_some(batch)
    }

    /// Returns whether the code of a task runs in this thread or greenlet.
    pub(crate) fn runs_a_task() -> bool {
        Self::current().call_stack.runs_code()
    }

    /// Returns the number of the scheduler of this greenlet, 0 if there are no greenlets.
    pub(crate) fn id_among_greenlets() -> u32 {
        if greenlets::are_loaded() { Self::current().id() } else { 0 }
    }

    /// Returns whether this is a number of another greenlet of this thread.
    pub(crate) fn is_of_other_greenlet(&self, scheduler_id: u32) -> bool {
        scheduler_id != 0 && scheduler_id != self.id() && Self::at(scheduler_id).is_some()
    }

    /// Tells the engine that all items of a batch are resolved.
    pub(crate) fn close(scheduler_id: u32, batch: BatchId) {
        if let Some(scheduler) = Self::at(scheduler_id) {
            let batch = scheduler.engine().close(batch);
            drop(batch);
            scheduler.nudge();
        }
    }

    /// Enters a context in the running task. Returns `None` if no task runs.
    pub(crate) fn enter_context(
        &self,
        context: &Bound<'_, PyAny>,
        task: &Bound<'_, AsyncTask>,
    ) -> Option<ContextId> {
        let in_flushes = in_flushes(context);
        let id = {
            let mut engine = self.engine();
            let id = engine.enter_context(())?;
            if !in_flushes {
                engine.keep_out_of_flushes(id);
            }
            id
        };
        let entered =
            EnteredContext { context: context.clone().unbind(), task: task.clone().unbind() };
        self.contexts.borrow_mut().insert(id, entered);
        Some(id)
    }

    /// Leaves a context that was entered in this thread.
    pub(crate) fn leave_context(py: pyo3::Python<'_>, entered: &Entered) {
        let Some(scheduler) = Self::at(entered.scheduler_id) else { return };
        let _ = scheduler.engine().leave_context(entered.id);
        let context = scheduler.contexts.borrow_mut().remove(entered.id);
        if let Some(context) = context {
            context.release(py);
        }
    }

    /// Returns a context, and the task that has entered it.
    pub(crate) fn context<'py>(
        &self,
        py: pyo3::Python<'py>,
        id: ContextId,
    ) -> Option<(Bound<'py, PyAny>, Bound<'py, AsyncTask>)> {
        let contexts = self.contexts.borrow();
        let entered = contexts.get(id)?;
        Some((entered.context.bind(py).clone(), entered.task.bind(py).clone()))
    }

    /// Forgets the contexts of a task that has ended.
    pub(crate) fn forget_contexts(entered: &[Entered]) {
        for entered in entered {
            let Some(scheduler) = Self::at(entered.scheduler_id) else { continue };
            let context = scheduler.contexts.borrow_mut().remove(entered.id);
            drop(context);
        }
    }

    /// Returns what the engine runs under an id.
    #[inline]
    pub(crate) fn job(&self, py: pyo3::Python<'_>, id: TaskId) -> Option<Job> {
        self.engine().task(id).map(|job| job.get(py))
    }

    /// Returns the tasks, and the other futures that a task waits for.
    pub(crate) fn jobs(&self, py: pyo3::Python<'_>) -> Vec<Py<PyAny>> {
        let engine = self.engine();
        let jobs = engine.tasks().filter_map(|job| match job.get(py) {
            Job::Task(task) => Some(task.into_any()),
            Job::Future(future) => Some(future.into_any()),
            Job::Call(_) | Job::Root => None,
        });
        jobs.collect()
    }

    /// Returns the batches of which an item is awaited.
    pub(crate) fn batches(&self, py: pyo3::Python<'_>) -> Vec<Py<BatchBase>> {
        self.engine().batches().map(|batch| batch.clone_ref(py)).collect()
    }

    /// Takes everything out of the engine, after the outermost call.
    pub(crate) fn let_go(&self, py: pyo3::Python<'_>) {
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

/// Inline starts.
impl Scheduler {
    /// Returns whether the running task may start so many tasks inline.
    pub(crate) fn starts_inline(&self, count: usize, max_depth: u32) -> bool {
        let engine = self.engine();
        self.event_loop.is_none()
            && self.goes_deeper(max_depth)
            && engine.can_start_inline()
            && engine.task_count() + count < options::max_tasks()
    }

    /// Adds a task that starts others inline. Returns the number of such tasks.
    pub(crate) fn push_start(&self, start: Start, settle: Settle) -> usize {
        self.settle.set(Some(settle));
        let mut starts = self.starts.borrow_mut();
        starts.push(start);
        starts.len()
    }

    /// Counts one more task that the innermost has started.
    pub(crate) fn count_start(&self) {
        if let Some(start) = self.starts.borrow_mut().last_mut() {
            start.started += 1;
        }
    }

    /// Notes that the innermost awaits a task that was started and waits.
    pub(crate) fn add_blocked_start(&self, dependency: Dependency) {
        if let Some(start) = self.starts.borrow_mut().last_mut() {
            start.blocked.push(dependency);
        }
    }

    /// Removes the innermost. Returns the tasks that it has to wait for.
    pub(crate) fn pop_start(&self) -> Blocked {
        let start = {
            let mut starts = self.starts.borrow_mut();
            let start = starts.pop();
            if starts.is_empty() {
                self.settle.set(None);
            }
            start
        };
        start.map(|start| start.blocked).unwrap_or_default()
    }

    /// Returns whether all tasks were started that are awaited by those which start others.
    pub(crate) fn has_started_all(&self) -> bool {
        self.starts.borrow().iter().all(|start| start.started == start.count)
    }

    /// Returns whether tasks may be started inside of those that are being started.
    pub(crate) fn goes_deeper(&self, max_depth: u32) -> bool {
        self.start_depth.get() < max_depth
    }

    /// Returns whether the state is not settled since there were `depth` tasks that start others.
    pub(crate) fn is_starting(&self, depth: usize) -> bool {
        self.starts.borrow().len() >= depth
    }

    /// Brings about the state in which the engine would be without inline starts. To be called before the
    /// state of the engine, or the engine's id of a task, matters.
    #[inline]
    pub(crate) fn settle(&self) {
        if let Some(settle) = self.settle.get() {
            self.settle_by(settle);
        }
    }

    #[cold]
    fn settle_by(&self, settle: Settle) {
        self.settle.set(None);
        let starts = self.starts.take();
        settle(self, starts);
    }

    /// Ends the call by the error of a task that was started inline.
    pub(crate) fn fail_start(&self, error: PyErr) {
        self.start_error.set(Some(Box::new(error)));
    }

    #[inline]
    pub(crate) fn take_start_error(&self) -> Option<PyErr> {
        self.start_error.take().map(|error| *error)
    }
}

/// Returns the task whose code runs now, or waits for the synchronous call that runs now.
pub(crate) fn active_task(py: pyo3::Python<'_>) -> PyResult<Option<Bound<'_, AsyncTask>>> {
    if greenlets::are_loaded() || per_loop::are_used() {
        return Scheduler::current().call_stack.task(py);
    }
    SCHEDULERS.with(|schedulers| {
        schedulers.of_main().get().map_or(Ok(None), |scheduler| scheduler.call_stack.task(py))
    })
}

/// Returns what a task that is made now knows of the code that makes it.
#[inline]
pub(crate) fn origin(py: pyo3::Python<'_>) -> PyResult<Origin<'_>> {
    let scheduler = Scheduler::current();
    let creator = scheduler.call_stack.task(py)?;
    let snapshot = scheduler.variables.snapshots.of_new_task(py, creator.as_ref())?;
    Ok(Origin { creator, snapshot, scheduler_id: scheduler.id(), is_call: false })
}

/// Returns whether a context may be active during a flush of a loader.
fn in_flushes(context: &Bound<'_, PyAny>) -> bool {
    let in_flushes = context.getattr_opt(intern!(context.py(), "in_flushes"));
    // None of a class that hides it, an error of one that raises.
    in_flushes.is_ok_and(|value| value.is_none_or(|value| value.is_truthy().unwrap_or(false)))
}
