//! `AsyncTask`: the state of one call of an async function.

use asynq_engine::ContextId;
use pyo3::PyClassInitializer;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyWeakrefReference};
use smallvec::SmallVec;

use crate::call::args::Args;
use crate::explain::hooks::{self, NewTask};
use crate::ffi::cell_lock::CellLock;
use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::release;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{GilCell, Header, TakeState, has_state};
use crate::ffi::object_memory;
use crate::ffi::small_cell::SmallCell;
use crate::ffi::weak_reference::weak_reference;
use crate::future::base::{FutureBase, Kind};
use crate::imports;
use crate::options::Switches;
use crate::task::body::Body;

/// A running call of an async function: what `fn.asynq(...)` returns.
///
/// `yield` it in another async function to wait for its value, or call `value()`.
///
/// `generator` is what it runs, and `fn`, `args` and `kwargs` say what was called. A subclass is put
/// to use by `@asynq(cls=...)`.
#[pyclass(frozen, extends = FutureBase, subclass, weakref, module = "asynq.async_task")]
pub(crate) struct AsyncTask(pub(crate) GilCell<Task, Flags>);

has_state!(AsyncTask: Task, Flags);

/// Stands for the number of a task that is in no recording.
const NOT_RECORDED: u32 = u32::MAX;

/// State of an [`AsyncTask`].
pub(crate) struct Task {
    pub(crate) body: Body,
    pub(crate) function: Option<Py<PyAny>>,
    pub(crate) args: Args,
    /// Task that made it.
    pub(crate) creator: Option<Py<PyWeakrefReference>>,
    /// Object that it has yielded, while it waits for the futures in it.
    pub(crate) waiting: Option<Py<PyAny>>,
    /// Context variables with which it starts; `None` for those of the outermost call. See
    /// [`Variables`](crate::scheduler::variables::Variables).
    pub(crate) snapshot: Option<Context>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// Small fields of an [`AsyncTask`].
pub(crate) struct Flags {
    lock: CellLock,
    pub(crate) running: SmallCell<bool>,
    pub(crate) tracking: SmallCell<Tracking>,
    pub(crate) demand: SmallCell<Demand>,
    /// The function is a weak reference.
    pub(crate) function_is_weak: SmallCell<bool>,
    pub(crate) steps: SmallCell<u32>,
    /// Number of the task in the log of `asynq.explain()`; 0 if it was created while nothing was recorded,
    /// and [`NOT_RECORDED`] if it is in no recording.
    pub(crate) recorded: SmallCell<u32>,
}

impl Header for Flags {
    #[inline]
    fn lock(&self) -> &CellLock {
        &self.lock
    }
}

impl Flags {
    fn new(tracking: Tracking) -> Self {
        Self {
            lock: CellLock::new(),
            running: SmallCell::new(false),
            tracking: SmallCell::new(tracking),
            demand: SmallCell::new(Demand::Never),
            function_is_weak: SmallCell::new(false),
            steps: SmallCell::new(0),
            recorded: SmallCell::new(0),
        }
    }

    /// Makes them what those of a new task are.
    fn reset(&self) {
        self.running.set(false);
        self.tracking.set(Tracking::On);
        self.demand.set(Demand::Never);
        self.function_is_weak.set(false);
        self.steps.set(0);
        self.recorded.set(0);
    }
}

impl Task {
    pub(crate) fn blank() -> Self {
        Self {
            body: Body::Missing,
            function: None,
            args: Args::None,
            creator: None,
            waiting: None,
            snapshot: None,
            rare: None,
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// Returns the object of a weak reference; `None` if it is gone.
fn referent(reference: Bound<'_, PyAny>) -> Bound<'_, PyAny> {
    let py = reference.py();
    match reference.cast::<PyWeakrefReference>() {
        Ok(weak) => weak.upgrade().unwrap_or_else(|| py.None().into_bound(py)),
        Err(_) => reference,
    }
}

/// State of the demand for the value of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nobody has asked for it.
    Never,
    Asked,
    /// Somebody has; but the call in which it ran is over, and it has not ended.
    Suspended,
}

/// State of the garbage collector's attention to a task and its generator; see [`gc_tracking`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    On,
    /// Off while the engine holds the task.
    Paused,
    /// Off as long as the task is a leaf.
    Leaf,
}

/// State that few tasks have.
#[derive(Default)]
pub(crate) struct Rare {
    /// Contexts that it has entered and not left, the outermost first.
    pub(crate) contexts: SmallVec<[Entered; 1]>,
    /// Its context variables, once it has set one.
    pub(crate) variables: Option<Context>,
    /// A synchronous call has made it, and runs it in the context of its caller.
    pub(crate) runs_in_place: bool,
    /// Error that it gets instead of the value it waits for.
    pub(crate) pending_error: Option<PendingError>,
    /// Task that made it, if that has to be kept alive.
    pub(crate) creator: Option<Py<AsyncTask>>,
    /// Futures that it has yielded so far, for `KEEP_DEPENDENCIES`.
    pub(crate) kept: Option<Py<PyList>>,
    /// Batch in flight whose items this task resolves.
    pub(crate) flushes: Option<Py<FutureBase>>,
    /// The current task of asyncio while its coroutine runs on an event loop.
    pub(crate) loop_task: Option<Py<PyAny>>,
    pub(crate) name: Option<Py<PyAny>>,
    /// File and line where it was created, if a debug option was on.
    pub(crate) created_in: Option<Py<PyAny>>,
    pub(crate) perf_stats: Option<Py<PyAny>>,
    pub(crate) id: i64,
    pub(crate) total_time: i64,
}

/// Code that makes a task.
pub(crate) struct Origin<'py> {
    /// The task that runs.
    pub(crate) creator: Option<Bound<'py, AsyncTask>>,
    /// The context variables; see [`Task::snapshot`].
    pub(crate) snapshot: Option<Context>,
    /// Number of the scheduler.
    pub(crate) scheduler_id: u32,
    /// It is a synchronous call that has begun, and becomes a task.
    pub(crate) is_call: bool,
}

/// A context that a task has entered.
pub(crate) struct Entered {
    /// Number of the scheduler in which it was entered.
    pub(crate) scheduler_id: u32,
    /// Id of the context in the engine.
    pub(crate) id: ContextId,
    pub(crate) context: Py<PyAny>,
}

/// Way in which a task fails when it runs next.
pub(crate) enum PendingError {
    /// By an error at its `yield`, which it may catch.
    Throw(PyErr),
    /// Without running any more.
    Fail(PyErr),
}

impl AsyncTask {
    /// Makes a task without code.
    pub(crate) fn blank() -> Self {
        Self(GilCell::with_header(Task::blank(), Flags::new(Tracking::On)))
    }

    /// Takes everything out of a task.
    pub(crate) fn clear(slf: &Bound<'_, Self>) -> Task {
        slf.header().reset();
        std::mem::replace(&mut *slf.state(), Task::blank())
    }

    /// Returns the function that was called; `None` if it is gone.
    pub(crate) fn called<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let function = bound_or_none(slf.py(), slf.state().function.as_ref());
        if slf.header().function_is_weak.get() { referent(function) } else { function }
    }

    /// Prepares the class, before it has subclasses.
    pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
        let base = PyClassInitializer::from(FutureBase::new(Kind::Task));
        let specimen = base.add_subclass(Self::blank());
        object_memory::install_recycled(&Bound::new(py, specimen)?)
    }

    /// Makes a task that runs `body`.
    #[inline]
    pub(crate) fn create<'py>(
        py: Python<'py>,
        body: Body,
        function: Bound<'py, PyAny>,
        args: Args,
        kwargs: Option<Bound<'py, PyDict>>,
        origin: Origin<'py>,
        is_leaf: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let is_leaf = is_leaf && origin.snapshot.is_none();
        let (thread, is_call) = (origin.scheduler_id, origin.is_call);
        let by = origin.creator.as_ref().map(|creator| creator.header().recorded.get());
        let mut body = body;
        if is_leaf && let Body::Generator(generator) = &mut body {
            generator.pause(py);
        }
        let task = Task {
            body,
            function: Some(function.unbind()),
            args: args.with_keywords(kwargs),
            creator: reference(origin.creator.as_ref())?,
            waiting: None,
            snapshot: origin.snapshot,
            rare: None,
        };
        let future = FutureBase::new(Kind::Task);
        let flags = Flags::new(if is_leaf { Tracking::Leaf } else { Tracking::On });
        let task = object_memory::new_object(py, future, Self(GilCell::with_header(task, flags)))?;
        if !is_leaf || cfg!(Py_GIL_DISABLED) {
            gc_tracking::resume(&task);
        }
        if !Switches::on().none() {
            Self::announce(&task, by, thread, is_call)?;
        }
        Ok(task)
    }

    /// Does what the debug options ask for of a new task, and records it. `is_call` tells whether it is a
    /// synchronous call that has begun in the scheduler with this number; `by` is the number of the task that creates it.
    pub(crate) fn announce(
        slf: &Bound<'_, Self>,
        by: Option<u32>,
        scheduler_id: u32,
        is_call: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let switches = Switches::on();
        if switches.has(Switches::RECORD) {
            Self::record(slf, by, scheduler_id, is_call);
        }
        if switches.none_but_record() {
            return Ok(());
        }
        let created_in = imports::creation_place(py)?.call0()?;
        slf.state().rare().created_in = Some(created_in.unbind());
        if switches.has(Switches::COLLECT_PERF_STATS) {
            let id = imports::incr_counter(py)?.call0()?.extract()?;
            slf.state().rare().id = id;
        }
        if switches.has(Switches::DUMP_NEW_TASKS) {
            imports::trace(py, "new_task", (slf,));
        }
        Ok(())
    }

    /// Adds the task to the recordings of the code that creates it.
    fn record(slf: &Bound<'_, Self>, by: Option<u32>, scheduler_id: u32, is_call: bool) {
        let py = slf.py();
        let (generator, function) = {
            let state = slf.state();
            let generator = match &state.body {
                Body::Generator(generator) => Some(generator.get().bind(py).clone()),
                Body::Missing | Body::Call | Body::Ended => None,
            };
            (generator, bound_or_none(py, state.function.as_ref()))
        };
        let new = NewTask { generator, function: &function, by, thread: scheduler_id, is_call };
        let number = hooks::created(py, &new);
        slf.header().recorded.set(if number == 0 { NOT_RECORDED } else { number });
    }

    /// Adds the task to the recordings of the code that asks for it, if it was created before they began.
    pub(crate) fn record_late(slf: &Bound<'_, Self>, scheduler_id: u32) {
        let flags = slf.header();
        if flags.recorded.get() == 0 && flags.steps.get() == 0 {
            let by = Self::creator(slf).map(|creator| creator.header().recorded.get());
            Self::record(slf, by, scheduler_id, false);
        }
    }

    /// Returns the number of the task in the log of recordings, 0 if it is not recorded.
    pub(crate) fn recorded(slf: &Bound<'_, Self>) -> u32 {
        match slf.header().recorded.get() {
            NOT_RECORDED => 0,
            number => number,
        }
    }

    /// Returns the task that was running when this one was made, if it is alive.
    pub(crate) fn creator<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Self>> {
        let py = slf.py();
        let (kept, reference) = {
            let task = slf.state();
            let kept = task.rare.as_ref().and_then(|rare| rare.creator.as_ref());
            (
                kept.map(|creator| creator.bind(py).clone()),
                task.creator.as_ref().map(|reference| reference.bind(py).clone()),
            )
        };
        kept.or_else(|| reference?.upgrade()?.cast_into().ok())
    }

    /// Has a task that has failed keep its creators alive: the asynq stack is asked for later.
    pub(crate) fn keep_creators(slf: &Bound<'_, Self>) {
        let mut task = slf.clone();
        while let Some(creator) = Self::creator(&task) {
            Self::no_leaf(&task);
            let before = task.state().rare().creator.replace(creator.clone().unbind());
            if before.is_some() {
                break;
            }
            task = creator;
        }
    }

    /// Suspends a task that has not ended when its call did: it rests until it is asked for again.
    pub(crate) fn suspend(slf: &Bound<'_, Self>) {
        Self::resume_tracking(slf);
        slf.header().demand.set(Demand::Suspended);
        FutureBase::forget_scheduler(slf.as_super());
    }

    /// Takes a task and its generator off the collector's lists, because something that the collector
    /// does not see holds them.
    pub(crate) fn pause_tracking(slf: &Bound<'_, Self>, why: Tracking) {
        let py = slf.py();
        {
            let tracking = &slf.header().tracking;
            if tracking.get() != Tracking::On {
                return;
            }
            tracking.set(why);
            let mut task = slf.state();
            if let Body::Generator(generator) = &mut task.body {
                generator.pause(py);
            }
        }
        gc_tracking::pause(slf);
    }

    /// Puts a task and its generator back on the collector's lists.
    pub(crate) fn resume_tracking(slf: &Bound<'_, Self>) {
        let py = slf.py();
        {
            if slf.header().tracking.replace(Tracking::On) == Tracking::On {
                return;
            }
            let mut task = slf.state();
            if let Body::Generator(generator) = &mut task.body {
                generator.resume(py);
            }
        }
        gc_tracking::resume(slf);
    }

    /// Ends the exemption of a leaf: the task got a reference to something.
    pub(crate) fn no_leaf(slf: &Bound<'_, Self>) {
        if slf.header().tracking.get() == Tracking::Leaf {
            Self::resume_tracking(slf);
        }
    }

    /// Resumes tracking of a task that was just resolved, unless it is a leaf and so is its value.
    pub(crate) fn resolved(slf: &Bound<'_, Self>, has_leaf_value: bool) {
        let function = {
            let task = slf.state();
            let is_leaf = slf.header().tracking.get() == Tracking::Leaf;
            let stays_leaf = has_leaf_value && is_leaf && task.rare.is_none();
            stays_leaf
                .then(|| task.function.as_ref().map(|function| function.bind(slf.py()).clone()))
        };
        if !function.is_some_and(|function| Self::hold_function_weakly(slf, function)) {
            Self::resume_tracking(slf);
        }
    }

    /// Gives up the function of a leaf that has ended. It leads to its module, which may keep the task,
    /// and the collector would not find that cycle. Returns whether that is possible.
    fn hold_function_weakly(slf: &Bound<'_, Self>, function: Option<Bound<'_, PyAny>>) -> bool {
        let Some(function) = function else { return true };
        let Ok(weak) = weak_reference(&function) else { return false };
        slf.header().function_is_weak.set(true);
        let before = slf.state().function.replace(weak.into_any().unbind());
        release(slf.py(), before);
        true
    }
}

/// Makes a weak reference to the creator of a task.
#[inline]
pub(crate) fn reference(
    task: Option<&Bound<'_, AsyncTask>>,
) -> PyResult<Option<Py<PyWeakrefReference>>> {
    task.map(|task| weak_reference(task).map(Bound::unbind)).transpose()
}

pub(crate) fn bound_or_none<'py>(py: Python<'py>, object: Option<&Py<PyAny>>) -> Bound<'py, PyAny> {
    object.map_or_else(|| py.None().into_bound(py), |object| object.bind(py).clone())
}
