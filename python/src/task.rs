//! `AsyncTask`: one call of an async function.

use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyWeakrefReference};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::args::Args;
use crate::body::Body;
use crate::context::Entered;
use crate::future::{FutureBase, Kind};
use crate::graveyard::bury;
use crate::names;
use crate::options::Switches;
use crate::outcome::Outcome;
use crate::scheduler::{Scheduler, active_task};
use crate::slot::{Slot, Taken};
use crate::tracking;
use crate::yielded;

/// A running call of an async function: what `fn.asynq(...)` returns.
///
/// `yield` it in another async function to wait for its value, or call `value()`.
///
/// `generator` is what it runs, and `fn`, `args` and `kwargs` say what was called. A subclass is put
/// to use by `@asynq(cls=...)`.
#[pyclass(frozen, extends = FutureBase, subclass, weakref, module = "asynq.async_task")]
pub(crate) struct AsyncTask(Slot<Task>);

/// What changes of a [`AsyncTask`].
pub(crate) struct Task {
    pub(crate) body: Body,
    function: Option<Py<PyAny>>,
    args: Args,
    kwargs: Option<Py<PyDict>>,
    creator: Option<Py<PyWeakrefReference>>,
    /// What it has yielded and waits for.
    pub(crate) waiting: Option<Py<PyAny>>,
    pub(crate) steps: u32,
    pub(crate) running: bool,
    pub(crate) tracking: Tracking,
    /// Whether it was left behind by the call in which it ran.
    pub(crate) suspended: bool,
    pub(crate) rare: Option<Box<Rare>>,
}

impl AsyncTask {
    pub(crate) fn state(&self) -> Taken<'_, Task> {
        self.0.take()
    }
}

impl Task {
    fn blank() -> Self {
        Self {
            body: Body::Ended,
            function: None,
            args: Args::None,
            kwargs: None,
            creator: None,
            waiting: None,
            steps: 0,
            running: false,
            tracking: Tracking::On,
            suspended: false,
            rare: None,
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The function that was called, and with what.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyAny>, Args, Option<Bound<'py, PyDict>>) {
        (
            bound_or_none(py, self.function.as_ref()),
            self.args.clone_ref(py),
            self.kwargs.as_ref().map(|kwargs| kwargs.bind(py).clone()),
        )
    }
}

/// Whether the garbage collector walks over a task and its generator; see [`tracking`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    On,
    /// Not while the engine holds it.
    Paused,
    /// Not as long as it is a leaf.
    Leaf,
}

/// What few tasks have.
#[derive(Default)]
pub(crate) struct Rare {
    /// The contexts it has entered and not left, the outermost first.
    pub(crate) contexts: Vec<Entered>,
    /// What it gets instead of the value it waits for.
    pub(crate) verdict: Option<Verdict>,
    /// The task that made it, if that has to be kept alive.
    creator: Option<Py<AsyncTask>>,
    /// Everything it has yielded so far, for `KEEP_DEPENDENCIES`.
    pub(crate) kept: Option<Py<PyList>>,
    name: Option<Py<PyAny>>,
    perf_stats: Option<Py<PyAny>>,
    id: i64,
    pub(crate) total_time: i64,
}

/// How a task is to fail when it runs next.
pub(crate) enum Verdict {
    /// By an error at its `yield`, which it may catch.
    Throw(PyErr),
    /// For good.
    Fail(PyErr),
}

impl AsyncTask {
    /// A task that runs `body`.
    pub(crate) fn create<'py>(
        py: Python<'py>,
        body: Body,
        function: Bound<'py, PyAny>,
        args: Args,
        kwargs: Option<Bound<'py, PyDict>>,
        creator: Option<&Bound<'py, Self>>,
        is_leaf: bool,
    ) -> PyResult<Bound<'py, Self>> {
        let mut task = Task::blank();
        task.body = body;
        task.function = Some(function.unbind());
        task.args = args;
        task.kwargs = kwargs.map(Bound::unbind);
        task.creator = reference(creator)?;
        let base = PyClassInitializer::from(FutureBase::new(Kind::Task));
        let task = Bound::new(py, base.add_subclass(Self(Slot::new(task))))?;
        if is_leaf {
            Self::pause_tracking(&task, Tracking::Leaf);
        }
        if !Switches::on().none() {
            Self::announce(&task)?;
        }
        Ok(task)
    }

    /// The call in which the task ran is over, and it is not: it rests until it is asked for again.
    pub(crate) fn suspended(slf: &Bound<'_, Self>) {
        Self::resume_tracking(slf);
        slf.get().state().suspended = true;
        let mut future = slf.as_super().get().state();
        future.home = 0;
        future.node = None;
    }

    fn announce(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let switches = Switches::on();
        if switches.has(Switches::COLLECT_PERF_STATS) {
            let id = names::incr_counter(py)?.call0()?.extract()?;
            slf.get().state().rare().id = id;
        }
        if switches.has(Switches::DUMP_NEW_TASKS) {
            names::trace(py, "new_task", (slf,));
        }
        Ok(())
    }

    /// The engine holds the task: the garbage collector may pass over it.
    pub(crate) fn pause_tracking(slf: &Bound<'_, Self>, why: Tracking) {
        let generator = {
            let mut task = slf.get().state();
            if task.tracking != Tracking::On {
                return;
            }
            task.tracking = why;
            task.body.generator(slf.py())
        };
        if let Some(generator) = generator {
            tracking::pause(&generator);
        }
        tracking::pause(slf);
    }

    /// The task has got a reference to something: it is not a leaf any more.
    pub(crate) fn no_leaf(slf: &Bound<'_, Self>) {
        let was_leaf = slf.get().state().tracking == Tracking::Leaf;
        if was_leaf {
            Self::resume_tracking(slf);
        }
    }

    /// The task is computed, and so the engine holds it no more. If it is a leaf and has the value of
    /// one, it remains one.
    pub(crate) fn computed(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let stays = {
            let task = slf.get().state();
            task.tracking == Tracking::Leaf && task.rare.is_none()
        } && matches!(
            &slf.as_super().get().state().outcome,
            Outcome::Value(value) if tracking::is_leaf(value.bind(py))
        );
        if !stays {
            Self::resume_tracking(slf);
        }
    }

    /// Has a task that has failed keep its creators alive: the asynq stack is asked for later.
    pub(crate) fn keep_creators(slf: &Bound<'_, Self>) {
        let mut task = slf.clone();
        while let Some(creator) = Self::creator(&task) {
            Self::no_leaf(&task);
            let before = task.get().state().rare().creator.replace(creator.clone().unbind());
            if before.is_some() {
                break;
            }
            task = creator;
        }
    }

    /// The engine holds the task no more.
    pub(crate) fn resume_tracking(slf: &Bound<'_, Self>) {
        let generator = {
            let mut task = slf.get().state();
            if std::mem::replace(&mut task.tracking, Tracking::On) == Tracking::On {
                return;
            }
            task.body.generator(slf.py())
        };
        if let Some(generator) = generator {
            tracking::resume(&generator);
        }
        tracking::resume(slf);
    }

    /// The task has its value or error: nothing of it runs any more.
    pub(crate) fn finished(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (body, waiting, contexts) = {
            let mut task = slf.get().state();
            let body = std::mem::replace(&mut task.body, Body::Ended);
            let waiting = task.waiting.take();
            let contexts = task.rare.as_mut().map(|rare| std::mem::take(&mut rare.contexts));
            (body, waiting, contexts)
        };
        let mut closed = Ok(());
        if let Body::Generator(generator) = body {
            tracking::resume(generator.bind(py));
            closed = generator.call_method0(py, intern!(py, "close")).map(|_| ());
            bury(Some(generator));
        }
        if let Some(contexts) = contexts {
            Scheduler::forget_contexts(&contexts);
        }
        if Switches::on().has(Switches::COLLECT_PERF_STATS) {
            // It reads what the task waits for, which is given up only now.
            slf.get().state().waiting = waiting;
            names::describe(py, "task_collect_perf_stats", (slf,))?;
            bury(slf.get().state().waiting.take());
        } else {
            bury(waiting);
        }
        let kept = slf.get().state().rare.as_mut().and_then(|rare| rare.kept.take());
        drop(kept);
        closed
    }

    /// What the task has yielded and waits for, one after the other.
    fn dependencies<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let task = slf.get().state();
        if let Some(kept) = task.rare.as_ref().and_then(|rare| rare.kept.as_ref()) {
            return Ok(kept.bind(py).clone());
        }
        let waiting = task.waiting.as_ref().map(|waiting| waiting.bind(py).clone());
        drop(task);
        let list = PyList::empty(py);
        if let Some(waiting) = waiting {
            yielded::for_each_future(&waiting, &mut |future| list.append(future))?;
        }
        Ok(list)
    }
}

#[pymethods]
impl AsyncTask {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Task))
            .add_subclass(Self(Slot::new(Task::blank())))
    }

    #[pyo3(signature = (generator, r#fn, args, kwargs))]
    fn __init__<'py>(
        slf: &Bound<'py, Self>,
        generator: Bound<'py, PyAny>,
        r#fn: Bound<'py, PyAny>,
        args: &Bound<'py, PyAny>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<()> {
        let py = slf.py();
        if Switches::on().has(Switches::ENABLE_COMPLEX_ASSERTIONS)
            && !generator.hasattr(intern!(py, "send"))?
        {
            return Err(PyAssertionError::new_err(format!(
                "generator is expected, but {} is provided",
                generator.get_type()
            )));
        }
        let args = match args.cast::<PyTuple>() {
            Ok(args) => args.clone(),
            Err(_) => args
                .try_iter()
                .and_then(|items| PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?))
                .map_err(|_| PyTypeError::new_err("the args of a task have to be iterable"))?,
        };
        let creator = reference(active_task(py)?.as_ref())?;
        {
            let mut task = slf.get().state();
            task.body = Body::Generator(generator.unbind());
            task.function = Some(r#fn.unbind());
            task.args = args.into();
            task.kwargs = kwargs.map(Bound::unbind);
            task.creator = creator;
        }
        if Switches::on().none() { Ok(()) } else { Self::announce(slf) }
    }

    /// Whether there is more to run: `False` once its generator has ended.
    fn can_continue(slf: &Bound<'_, Self>) -> bool {
        !matches!(slf.get().state().body, Body::Ended)
    }

    /// Whether it waits for something that has no value yet.
    fn is_blocked(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let waiting = slf.get().state().waiting.as_ref().map(|waiting| waiting.clone_ref(slf.py()));
        let Some(waiting) = waiting else { return Ok(false) };
        let mut blocked = false;
        yielded::for_each_future(waiting.bind(slf.py()), &mut |future| {
            blocked |= future.get().state().outcome.is_pending();
            Ok(())
        })?;
        Ok(blocked)
    }

    /// The name of the task in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        names::describe(slf.py(), "task_to_str", (slf,))
    }

    /// Appends what `perf_stats` says to the profile.
    pub(crate) fn dump_perf_stats(slf: &Bound<'_, Self>) -> PyResult<()> {
        names::describe(slf.py(), "task_dump_perf_stats", (slf,)).map(|_| ())
    }

    /// Sets `perf_stats` to the name of the task and what it waited for.
    fn collect_perf_stats(slf: &Bound<'_, Self>) -> PyResult<()> {
        names::describe(slf.py(), "task_collect_perf_stats", (slf,)).map(|_| ())
    }

    /// The asynq stack that led to this task: a line for each task, the outermost first.
    fn traceback<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        names::describe(slf.py(), "task_traceback", (slf,))
    }

    fn _traceback_line<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        names::describe(slf.py(), "task_traceback_line", (slf,))
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        names::describe(slf.py(), "task_str", (slf,))
    }

    /// The function that was called.
    #[getter(r#fn)]
    fn function<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        slf.get().state().call(slf.py()).0
    }

    #[setter(r#fn)]
    fn set_function(slf: &Bound<'_, Self>, function: Py<PyAny>) {
        Self::no_leaf(slf);
        let before = slf.get().state().function.replace(function);
        drop(before);
    }

    /// The positional arguments it was called with.
    #[getter]
    fn args<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let args = slf.get().state().args.clone_ref(slf.py()).to_tuple(slf.py())?;
        let before = std::mem::replace(&mut slf.get().state().args, args.clone().into());
        drop(before);
        Ok(args)
    }

    #[setter]
    fn set_args(slf: &Bound<'_, Self>, args: Py<PyTuple>) {
        Self::no_leaf(slf);
        let before = std::mem::replace(&mut slf.get().state().args, Args::Tuple(args));
        drop(before);
    }

    /// The keyword arguments it was called with.
    #[getter]
    fn kwargs<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        Self::no_leaf(slf);
        // Made before the state is taken: the garbage collector may run when a dict is made.
        let empty = PyDict::new(slf.py()).unbind();
        slf.get().state().kwargs.get_or_insert(empty).bind(slf.py()).clone()
    }

    #[setter]
    fn set_kwargs(slf: &Bound<'_, Self>, kwargs: Py<PyDict>) {
        Self::no_leaf(slf);
        let before = slf.get().state().kwargs.replace(kwargs);
        drop(before);
    }

    /// The task that was running when this one was made, or `None`. It is kept alive only by a task
    /// that has failed.
    #[getter]
    pub(crate) fn creator<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Self>> {
        let py = slf.py();
        let (kept, reference) = {
            let task = slf.get().state();
            let kept = task.rare.as_ref().and_then(|rare| rare.creator.as_ref());
            (
                kept.map(|creator| creator.bind(py).clone()),
                task.creator.as_ref().map(|reference| reference.bind(py).clone()),
            )
        };
        kept.or_else(|| reference?.upgrade()?.cast_into().ok())
    }

    #[setter]
    fn set_creator(slf: &Bound<'_, Self>, creator: Option<Py<Self>>) {
        Self::no_leaf(slf);
        let before = {
            let mut task = slf.get().state();
            let before = task.creator.take();
            (before, std::mem::replace(&mut task.rare().creator, creator))
        };
        bury(before.1);
    }

    /// Whether its own code is running right now, or waits for a synchronous call.
    #[getter]
    fn running(slf: &Bound<'_, Self>) -> bool {
        slf.get().state().running
    }

    /// How often it was set going.
    #[getter]
    fn iteration_index(slf: &Bound<'_, Self>) -> u32 {
        slf.get().state().steps
    }

    #[getter]
    fn _generator(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        match &slf.get().state().body {
            Body::Generator(generator) => Some(generator.clone_ref(slf.py())),
            Body::Call | Body::Ended => None,
        }
    }

    #[getter]
    fn _last_value(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().state().waiting.as_ref().map(|waiting| waiting.clone_ref(slf.py()))
    }

    /// The frame of this task in which it has failed, `None` if it has not.
    ///
    /// In the traceback the tasks stand one after the other, the one that waited before the one it
    /// waited for; and the task that failed of itself may have called other functions.
    #[getter]
    fn _frame<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (error, mut traceback) = match &slf.as_super().get().state().outcome {
            Outcome::Error(error, Some(traceback)) => {
                (error.bind(py).clone(), traceback.bind(py).clone().into_any())
            }
            _ => return Ok(None),
        };
        let failed_first = error.getattr(intern!(py, "_task")).is_ok_and(|task| task.is(slf));
        if failed_first {
            loop {
                let next = traceback.getattr(intern!(py, "tb_next"))?;
                if next.is_none() {
                    break;
                }
                traceback = next;
            }
        }
        traceback.getattr(intern!(py, "tb_frame")).map(Some)
    }

    #[getter(_dependencies)]
    fn py_dependencies<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Self::dependencies(slf)
    }

    /// The contexts it has entered and not left, by their `id()`, the outermost first.
    #[getter]
    fn _contexts<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let contexts: Vec<_> = {
            let task = slf.get().state();
            let entered = task.rare.iter().flat_map(|rare| &rare.contexts);
            entered.map(|entered| entered.context.bind(py).clone()).collect()
        };
        let by_id = PyDict::new(py);
        for context in contexts {
            by_id.set_item(context.as_ptr() as usize, context)?;
        }
        Ok(by_id)
    }

    #[getter]
    fn perf_stats<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::no_leaf(slf);
        let empty = PyDict::new(slf.py()).into_any().unbind();
        slf.get().state().rare().perf_stats.get_or_insert(empty).bind(slf.py()).clone()
    }

    #[setter]
    fn set_perf_stats(slf: &Bound<'_, Self>, stats: Py<PyAny>) {
        Self::no_leaf(slf);
        let before = slf.get().state().rare().perf_stats.replace(stats);
        drop(before);
    }

    #[getter]
    fn _name<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let task = slf.get().state();
        bound_or_none(slf.py(), task.rare.as_ref().and_then(|rare| rare.name.as_ref()))
    }

    #[setter(_name)]
    fn set_name(slf: &Bound<'_, Self>, name: Option<Py<PyAny>>) {
        Self::no_leaf(slf);
        let before = std::mem::replace(&mut slf.get().state().rare().name, name);
        drop(before);
    }

    #[getter]
    fn _id(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().rare.as_ref().map_or(0, |rare| rare.id)
    }

    #[setter(_id)]
    fn set_id(slf: &Bound<'_, Self>, id: i64) {
        slf.get().state().rare().id = id;
    }

    /// How long it has run, in microseconds, if that is measured (`COLLECT_PERF_STATS`).
    #[getter]
    fn _total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.get().state().rare.as_ref().map_or(0, |rare| rare.total_time)
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, time: i64) {
        slf.get().state().rare().total_time = time;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(task) = self.0.try_take() else { return Ok(()) };
        if let Body::Generator(generator) = &task.body {
            visit.call(generator)?;
        }
        visit.call(&task.function)?;
        task.args.traverse(visit)?;
        visit.call(&task.kwargs)?;
        visit.call(&task.creator)?;
        visit.call(&task.waiting)?;
        let Some(rare) = &task.rare else { return Ok(()) };
        for entered in &rare.contexts {
            visit.call(&entered.context)?;
        }
        visit.call(&rare.creator)?;
        visit.call(&rare.kept)?;
        visit.call(&rare.name)?;
        visit.call(&rare.perf_stats)
    }

    fn __clear__(&self) {
        let before = std::mem::replace(&mut *self.state(), Task::blank());
        drop(before);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Body::Generator(generator) = std::mem::replace(&mut self.body, Body::Ended) {
            if self.tracking != Tracking::On {
                // A generator that is not on the lists of the collector must not die.
                Python::attach(|py| tracking::resume(generator.bind(py)));
            }
            bury(Some(generator));
        }
        std::mem::take(&mut self.args).bury();
        bury(self.kwargs.take());
        bury(self.function.take());
        bury(self.waiting.take());
        if let Some(rare) = &mut self.rare {
            bury(rare.creator.take());
        }
    }
}

fn reference(task: Option<&Bound<'_, AsyncTask>>) -> PyResult<Option<Py<PyWeakrefReference>>> {
    task.map(|task| PyWeakrefReference::new(task.as_any()).map(Bound::unbind)).transpose()
}

fn bound_or_none<'py>(py: Python<'py>, object: Option<&Py<PyAny>>) -> Bound<'py, PyAny> {
    object.map_or_else(|| py.None().into_bound(py), |object| object.bind(py).clone())
}
