//! `AsyncTask` as Python sees it.

use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::call::args::Args;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::GilCell;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::active_task;
use crate::task::async_task::{AsyncTask, Task, bound_or_none, reference};
use crate::task::body::Body;
use crate::task::yielded;

#[pymethods]
impl AsyncTask {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn py_new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(FutureBase::new(Kind::Task))
            .add_subclass(Self(GilCell::new(Task::blank())))
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
        imports::describe(slf.py(), "task_to_str", (slf,))
    }

    /// Appends what `perf_stats` says to the profile.
    pub(crate) fn dump_perf_stats(slf: &Bound<'_, Self>) -> PyResult<()> {
        imports::describe(slf.py(), "task_dump_perf_stats", (slf,)).map(|_| ())
    }

    /// Sets `perf_stats` to the name of the task and what it waited for.
    fn collect_perf_stats(slf: &Bound<'_, Self>) -> PyResult<()> {
        imports::describe(slf.py(), "task_collect_perf_stats", (slf,)).map(|_| ())
    }

    /// The asynq stack that led to this task: a line for each task, the outermost first.
    fn traceback<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "task_traceback", (slf,))
    }

    fn _traceback_line<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "task_traceback_line", (slf,))
    }

    fn __str__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "task_str", (slf,))
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
        defer_drop(before.1);
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
