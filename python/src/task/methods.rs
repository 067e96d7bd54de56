//! `AsyncTask` as Python sees it.

use pyo3::exceptions::{PyAssertionError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyClassInitializer, PyTraverseError, PyVisit, intern};

use crate::call::args::Args;
use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::future::awaiting;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::registry::origin;
use crate::task::async_task::{AsyncTask, bound_or_none, reference};
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
        PyClassInitializer::from(FutureBase::new(Kind::Task)).add_subclass(Self::blank())
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
        check_generator(&generator)?;
        let args = match args.cast::<PyTuple>() {
            Ok(args) => args.clone(),
            Err(_) => args
                .try_iter()
                .and_then(|items| PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?))
                .map_err(|_| PyTypeError::new_err("the args of a task have to be iterable"))?,
        };
        let origin = origin(py)?;
        let creator = reference(origin.creator.as_ref())?;
        let scheduler_id = origin.scheduler_id;
        let by = origin.creator.as_ref().map(|creator| creator.header().recorded.get());
        let body = Body::of_generator(generator);
        let args = Args::from(args).with_keywords(kwargs);
        let before = {
            let mut task = slf.state();
            if !matches!(task.body, Body::Missing) || slf.header().running.get() {
                drop(task);
                return Err(PyRuntimeError::new_err(
                    "this task is initialized already: make a new one instead of calling \
                     __init__() again",
                ));
            }
            task.body = body;
            task.snapshot = origin.snapshot; // It had none, since it was not initialized.
            let function = task.function.replace(r#fn.unbind());
            slf.header().function_is_weak.set(false);
            let args = std::mem::replace(&mut task.args, args);
            (function, args, std::mem::replace(&mut task.creator, creator))
        };
        drop(before);
        if Switches::on().none() { Ok(()) } else { Self::announce(slf, by, scheduler_id, false) }
    }

    /// Returns whether there is more to run: `False` once the generator has ended.
    fn can_continue(slf: &Bound<'_, Self>) -> bool {
        matches!(slf.state().body, Body::Generator(_) | Body::Call)
    }

    /// Returns whether the task waits for a future that is pending.
    fn is_blocked(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let waiting = slf.state().waiting.as_ref().map(|waiting| waiting.clone_ref(slf.py()));
        let Some(waiting) = waiting else { return Ok(false) };
        let mut blocked = false;
        yielded::for_each_future(waiting.bind(slf.py()), &mut |future| {
            blocked |= FutureBase::is_pending(future);
            Ok(())
        })?;
        Ok(blocked)
    }

    /// The name of the task in profiles.
    fn to_str<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::describe(slf.py(), "task_to_str", (slf,))
    }

    /// Appends `perf_stats` to the profile.
    fn dump_perf_stats(slf: &Bound<'_, Self>) -> PyResult<()> {
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
        awaiting::check_text(slf.as_super())?;
        imports::describe(slf.py(), "task_str", (slf,))
    }

    /// The function that was called.
    #[getter(r#fn)]
    fn function<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        Self::called(slf)
    }

    #[setter(r#fn)]
    fn set_function(slf: &Bound<'_, Self>, function: Py<PyAny>) {
        Self::no_leaf(slf);
        slf.header().function_is_weak.set(false);
        let before = slf.state().function.replace(function);
        defer_drop(before);
    }

    /// The positional arguments it was called with.
    #[getter]
    fn args<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let args = slf.state().args.clone_ref(slf.py()).to_tuple(slf.py())?;
        let before = slf.state().args.replace_positional(args.clone().into());
        drop(before);
        Ok(args)
    }

    #[setter]
    fn set_args(slf: &Bound<'_, Self>, args: Py<PyTuple>) {
        Self::no_leaf(slf);
        let before = slf.state().args.replace_positional(Args::Tuple(args));
        drop(before);
    }

    /// The keyword arguments it was called with.
    #[getter]
    fn kwargs<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyDict> {
        Self::no_leaf(slf);
        // Made before the state is taken: the garbage collector may run when a dict is made.
        let empty = PyDict::new(slf.py()).unbind();
        slf.state().args.keywords_or(empty).bind(slf.py()).clone()
    }

    #[setter]
    fn set_kwargs(slf: &Bound<'_, Self>, kwargs: Py<PyDict>) {
        Self::no_leaf(slf);
        let before = slf.state().args.replace_keywords(kwargs);
        defer_drop(before);
    }

    /// The task that was running when this one was made, or `None`. It is kept alive only by a task
    /// that has failed.
    #[getter(creator)]
    fn py_creator<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Self>> {
        Self::creator(slf)
    }

    #[setter]
    fn set_creator(slf: &Bound<'_, Self>, creator: Option<Bound<'_, Self>>) -> PyResult<()> {
        let mut ancestor = creator.clone();
        while let Some(task) = ancestor {
            if task.is(slf) {
                return Err(PyValueError::new_err("a task cannot be its own creator"));
            }
            ancestor = Self::creator(&task);
        }
        Self::no_leaf(slf);
        let before = {
            let mut task = slf.state();
            let before = task.creator.take();
            (before, std::mem::replace(&mut task.rare().creator, creator.map(Bound::unbind)))
        };
        defer_drop(before.1);
        Ok(())
    }

    /// True while the code of the task runs, or waits for a synchronous call.
    #[getter]
    fn running(slf: &Bound<'_, Self>) -> bool {
        slf.header().running.get()
    }

    /// Number of times the task was started or continued.
    #[getter]
    fn iteration_index(slf: &Bound<'_, Self>) -> u32 {
        slf.header().steps.get()
    }

    #[getter]
    fn _generator(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        match &slf.state().body {
            Body::Generator(generator) => Some(generator.get().clone_ref(slf.py())),
            Body::Missing | Body::Call | Body::Ended => None,
        }
    }

    #[getter]
    fn _last_value(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.state().waiting.as_ref().map(|waiting| waiting.clone_ref(slf.py()))
    }

    /// The frame of this task in which it has failed, `None` if it has not.
    ///
    /// In the traceback the tasks stand one after the other, the one that waited before the one it
    /// waited for; and the task that failed of itself may have called other functions.
    #[getter]
    fn _frame<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (error, mut traceback) = match slf.as_super().state().outcome() {
            Outcome::Error(failure) => match &failure.traceback {
                Some(traceback) => {
                    (failure.error.bind(py).clone(), traceback.bind(py).clone().into_any())
                }
                None => return Ok(None),
            },
            Outcome::Pending | Outcome::Value(_) => return Ok(None),
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

    /// Futures that it waits for, one after the other.
    #[getter]
    fn _dependencies<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let (kept, waiting) = {
            let task = slf.state();
            let kept = task.rare.as_ref().and_then(|rare| rare.kept.as_ref());
            (
                kept.map(|kept| kept.bind(py).clone()),
                task.waiting.as_ref().map(|waiting| waiting.bind(py).clone()),
            )
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let list = PyList::empty(py);
        if let Some(waiting) = waiting {
            yielded::for_each_future(&waiting, &mut |future| list.append(future))?;
        }
        Ok(list)
    }

    /// The contexts it has entered and not left, by their `id()`, the outermost first.
    #[getter]
    fn _contexts<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let contexts: Vec<_> = {
            let task = slf.state();
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
        slf.state().rare().perf_stats.get_or_insert(empty).bind(slf.py()).clone()
    }

    #[setter]
    fn set_perf_stats(slf: &Bound<'_, Self>, stats: Py<PyAny>) {
        Self::no_leaf(slf);
        let before = slf.state().rare().perf_stats.replace(stats);
        defer_drop(before);
    }

    #[getter]
    fn _name<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        let task = slf.state();
        bound_or_none(slf.py(), task.rare.as_ref().and_then(|rare| rare.name.as_ref()))
    }

    #[setter(_name)]
    fn set_name(slf: &Bound<'_, Self>, name: Option<Py<PyAny>>) {
        Self::no_leaf(slf);
        let before = std::mem::replace(&mut slf.state().rare().name, name);
        defer_drop(before);
    }

    #[getter]
    fn _id(slf: &Bound<'_, Self>) -> i64 {
        slf.state().rare.as_ref().map_or(0, |rare| rare.id)
    }

    #[setter(_id)]
    fn set_id(slf: &Bound<'_, Self>, id: i64) {
        slf.state().rare().id = id;
    }

    /// Time that the task has run, in microseconds, if `COLLECT_PERF_STATS` is on.
    #[getter]
    fn _total_time(slf: &Bound<'_, Self>) -> i64 {
        slf.state().rare.as_ref().map_or(0, |rare| rare.total_time)
    }

    #[setter(_total_time)]
    fn set_total_time(slf: &Bound<'_, Self>, time: i64) {
        slf.state().rare().total_time = time;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(task) = self.0.take_in_traverse(&visit) else { return Ok(()) };
        if let Body::Generator(generator) = &task.body {
            visit.call(generator.get())?;
        }
        visit.call(&task.function)?;
        task.args.traverse(visit)?;
        visit.call(&task.creator)?;
        visit.call(&task.waiting)?;
        visit.call(task.snapshot.as_ref().map(Context::object))?;
        let Some(rare) = &task.rare else { return Ok(()) };
        for entered in &rare.contexts {
            visit.call(&entered.context)?;
        }
        visit.call(rare.variables.as_ref().map(Context::object))?;
        visit.call(&rare.creator)?;
        visit.call(&rare.kept)?;
        visit.call(&rare.flushes)?;
        visit.call(&rare.name)?;
        visit.call(&rare.created_in)?;
        visit.call(&rare.loop_task)?;
        visit.call(&rare.perf_stats)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let before = Self::clear(slf);
        before.give_up(slf.py());
    }
}

/// Checks that an object can be run as a generator.
fn check_generator(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = object.py();
    for name in [intern!(py, "send"), intern!(py, "throw"), intern!(py, "close")] {
        if !object.hasattr(name)? {
            let message = format!(
                "generator is expected, but {} is provided: it has no {name}()",
                imports::type_name(object)
            );
            return Err(if Switches::on().has(Switches::ENABLE_COMPLEX_ASSERTIONS) {
                PyAssertionError::new_err(message)
            } else {
                PyTypeError::new_err(message)
            });
        }
    }
    Ok(())
}
