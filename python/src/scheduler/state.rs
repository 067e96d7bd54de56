//! The scheduler of one thread: the engine, and what it needs of Python.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use asynq_engine::{BatchId, ContextId, Dependency, Engine, Host, ItemId, TaskId};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::batch::base::{self as batch, BatchBase};
use crate::batch::priority::BatchPriority;
use crate::context::Entered;
use crate::future::base::FutureBase;
use crate::loader::round::RoundBase;
use crate::scheduler::call_stack::CallStack;
use crate::scheduler::handle::TaskScheduler;
use crate::task::async_task::AsyncTask;

/// What this front end puts into the engine.
pub(crate) struct Python;

impl Host for Python {
    type Task = Job;
    type Batch = Py<BatchBase>;
    /// The context itself is in [`Scheduler::contexts`]: the engine may drop this at any time, and
    /// a Python object runs code when it dies.
    type Context = ();
    type Priority = BatchPriority;
}

/// What the engine runs.
pub(crate) enum Job {
    Task(Py<AsyncTask>),
    /// A future of another kind, that a task waits for.
    Future(Py<FutureBase>),
}

/// The scheduler of one thread.
///
/// Between calls it holds nothing: what is left of a failed call is taken out of the engine, and
/// added again when somebody asks for it, in whatever thread.
pub(crate) struct Scheduler {
    /// The number of this scheduler, from 1.
    home: Cell<u32>,
    engine: RefCell<Engine<Python>>,
    pub(crate) call_stack: CallStack,
    /// The contexts that the engine knows.
    contexts: RefCell<HashMap<ContextId, Py<PyAny>>>,
    handle: RefCell<Option<Py<TaskScheduler>>>,
    handles: Cell<u32>,
    /// The rounds of loaders that were opened in the outermost call.
    rounds: RefCell<Vec<Py<RoundBase>>>,
    /// How many flushes are in flight that `asynq._flights` has to look after.
    flights: Cell<usize>,
}

thread_local! {
    static CURRENT: OnceCell<Rc<Scheduler>> = const { OnceCell::new() };
}

fn next_home() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What was computed in a thread other than the one where it is awaited, with the number of the
/// scheduler there.
static POSTED: Mutex<Vec<(u32, Dependency)>> = Mutex::new(Vec::new());
static POSTED_COUNT: AtomicUsize = AtomicUsize::new(0);

impl Scheduler {
    /// The scheduler of this thread.
    pub(crate) fn current() -> Rc<Self> {
        CURRENT.with(|current| {
            Rc::clone(current.get_or_init(|| {
                Rc::new(Self {
                    home: Cell::new(next_home()),
                    engine: RefCell::new(Engine::new()),
                    call_stack: CallStack::default(),
                    contexts: RefCell::default(),
                    handle: RefCell::new(None),
                    handles: Cell::new(0),
                    rounds: RefCell::default(),
                    flights: Cell::new(0),
                })
            }))
        })
    }

    /// The scheduler of this thread, if it is the one with this number.
    fn at(home: u32) -> Option<Rc<Self>> {
        CURRENT
            .try_with(|current| current.get().filter(|current| current.home() == home).cloned())
            .ok()
            .flatten()
    }

    /// The number of this scheduler.
    pub(crate) fn home(&self) -> u32 {
        self.home.get()
    }

    /// After a panic, which is a mistake in this crate: begins anew, as another scheduler, so that
    /// at least the thread stays usable.
    pub(crate) fn begin_anew(&self) {
        self.home.set(next_home());
        let engine = self.engine.replace(Engine::new());
        self.call_stack.clear();
        drop(engine);
    }

    /// The engine. No Python code may run while this is held.
    pub(crate) fn engine(&self) -> RefMut<'_, Engine<Python>> {
        self.engine.borrow_mut()
    }

    /// The object by which Python knows this scheduler.
    pub(crate) fn handle<'py>(&self, py: pyo3::Python<'py>) -> PyResult<Bound<'py, TaskScheduler>> {
        if let Some(handle) = &*self.handle.borrow() {
            return Ok(handle.bind(py).clone());
        }
        let handle = Bound::new(py, TaskScheduler::of(py, self.home(), self.count_handle())?)?;
        let before = self.handle.replace(Some(handle.clone().unbind()));
        drop(before);
        Ok(handle)
    }

    /// How many handles there were before.
    pub(crate) fn count_handle(&self) -> u32 {
        self.handles.replace(self.handles.get() + 1)
    }

    /// Has the next [`handle`](Self::handle) be a new one.
    pub(crate) fn reset_handle(&self) {
        let before = self.handle.take();
        drop(before);
    }

    /// The handle, if there is one with hooks on it.
    pub(crate) fn hooks<'py>(&self, py: pyo3::Python<'py>) -> Option<Bound<'py, TaskScheduler>> {
        self.handle.borrow().as_ref().map(|handle| handle.bind(py).clone())
    }

    /// # Errors
    ///
    /// `RuntimeError` if `object` belongs to the scheduler of another thread.
    pub(crate) fn check_home(&self, home: u32, object: &Bound<'_, PyAny>) -> PyResult<()> {
        if home == 0 || home == self.home() {
            return Ok(());
        }
        let class = object.get_type();
        Err(PyRuntimeError::new_err(format!(
            "a {class} that another thread is running can't be awaited or called in this one: wait \
             for its value there, or make one here",
        )))
    }

    /// Holds an open round until the outermost call is over, so that the garbage collector may pass
    /// over its loads. Returns whether there is a call.
    pub(crate) fn hold_round(&self, round: &Bound<'_, RoundBase>) -> bool {
        let in_call = !self.call_stack.is_empty();
        if in_call {
            self.rounds.borrow_mut().push(round.clone().unbind());
        }
        in_call
    }

    /// The outermost call is over.
    #[inline]
    pub(crate) fn release_rounds(&self, py: pyo3::Python<'_>) {
        if !self.rounds.borrow().is_empty() {
            for round in self.rounds.take() {
                RoundBase::released(round.bind(py));
            }
        }
    }

    pub(crate) fn has_flights(&self) -> bool {
        self.flights.get() > 0
    }

    pub(crate) fn set_flight_count(&self, count: usize) {
        self.flights.set(count);
    }

    /// Takes notice of what other threads have computed.
    pub(crate) fn read_post(&self) {
        if POSTED_COUNT.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut posted = POSTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut mine = Vec::new();
        posted.retain(|&(home, on)| {
            let is_mine = home == self.home();
            if is_mine {
                mine.push(on);
            }
            !is_mine
        });
        POSTED_COUNT.store(posted.len(), Ordering::Release);
        drop(posted);
        for on in mine {
            self.computed(on);
        }
    }

    fn computed(&self, on: Dependency) {
        match on {
            Dependency::Task(task) => self.complete_here(task),
            Dependency::Item(item) => self.engine().complete_item(item),
        }
    }

    /// A task or promise of this scheduler has its value or error.
    pub(crate) fn complete_here(&self, task: TaskId) {
        let job = self.engine().complete(task);
        drop(job);
    }

    fn post(home: u32, on: Dependency) {
        match Self::at(home) {
            Some(scheduler) => scheduler.computed(on),
            None if home == 0 => {}
            None => {
                let mut posted = POSTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                posted.push((home, on));
                POSTED_COUNT.store(posted.len(), Ordering::Release);
            }
        }
    }

    /// A task or promise of the scheduler `home` has its value or error.
    pub(crate) fn complete(home: u32, task: TaskId) {
        Self::post(home, task.into());
    }

    /// An item of a batch of the scheduler `home` has its value or error.
    pub(crate) fn complete_item(home: u32, item: ItemId) {
        Self::post(home, item.into());
    }

    /// A batch of the scheduler `home` has `count` items more. Returns whether that is of this
    /// thread.
    pub(crate) fn add_items(home: u32, batch: BatchId, count: u32) -> bool {
        let Some(scheduler) = Self::at(home) else { return false };
        let mut engine = scheduler.engine();
        (0..count).for_each(|_| _ = engine.add_item(batch));
        true
    }

    /// A batch of the scheduler `home` is flushed out of turn.
    pub(crate) fn begin_flush(home: u32, batch: BatchId) {
        if let Some(scheduler) = Self::at(home) {
            scheduler.engine().begin_flush(batch);
        }
    }

    /// All items of a batch of the scheduler `home` have their values or errors.
    pub(crate) fn close(home: u32, batch: BatchId) {
        if let Some(scheduler) = Self::at(home) {
            let batch = scheduler.engine().close(batch);
            drop(batch);
        }
    }

    /// The running task enters a context. `None` if no task runs.
    pub(crate) fn enter_context(&self, context: &Bound<'_, PyAny>) -> Option<ContextId> {
        let id = self.engine().enter_context(())?;
        self.contexts.borrow_mut().insert(id, context.clone().unbind());
        Some(id)
    }

    /// A context is left. Returns whether it was active.
    pub(crate) fn leave_context(&self, id: ContextId) -> bool {
        let was_active = self.engine().leave_context(id);
        let context = self.contexts.borrow_mut().remove(&id);
        drop(context);
        was_active
    }

    pub(crate) fn context<'py>(
        &self,
        py: pyo3::Python<'py>,
        id: ContextId,
    ) -> Option<Bound<'py, PyAny>> {
        self.contexts.borrow().get(&id).map(|context| context.bind(py).clone())
    }

    /// The task that had entered these contexts has ended.
    pub(crate) fn forget_contexts(entered: &[Entered]) {
        let Some(scheduler) = CURRENT.with(|current| current.get().cloned()) else { return };
        for entered in entered {
            let context = scheduler.contexts.borrow_mut().remove(&entered.id);
            drop(context);
        }
    }

    /// The tasks, and other futures that somebody waits for.
    pub(crate) fn jobs(&self, py: pyo3::Python<'_>) -> Vec<Py<PyAny>> {
        let engine = self.engine.borrow();
        let jobs = engine.tasks().map(|job| match job {
            Job::Task(task) => task.clone_ref(py).into_any(),
            Job::Future(future) => future.clone_ref(py).into_any(),
        });
        jobs.collect()
    }

    /// The batches of which an item was awaited.
    pub(crate) fn batches(&self, py: pyo3::Python<'_>) -> Vec<Py<BatchBase>> {
        self.engine.borrow().batches().map(|batch| batch.clone_ref(py)).collect()
    }

    /// After the outermost call: nothing of it stays here.
    pub(crate) fn let_go(&self, py: pyo3::Python<'_>) {
        let (jobs, batches) = self.engine().take_rest();
        for job in jobs {
            match job {
                Job::Task(task) => AsyncTask::suspended(task.bind(py)),
                Job::Future(future) => {
                    let mut future = future.get().state();
                    future.home = 0;
                    future.node = None;
                }
            }
        }
        for batch in batches {
            batch::left_behind(batch.bind(py));
        }
        let contexts = self.contexts.take();
        drop(contexts);
    }
}

/// The task whose code runs now, or waits for the synchronous call that runs now.
pub(crate) fn active_task(py: pyo3::Python<'_>) -> PyResult<Option<Bound<'_, AsyncTask>>> {
    CURRENT.with(|current| current.get().map_or(Ok(None), |current| current.call_stack.task(py)))
}
