//! `AsyncTask`: one call of an async function.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyWeakrefReference};
use pyo3::{PyClassInitializer, intern};

use crate::call::args::Args;
use crate::context::Entered;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gc_tracking;
use crate::ffi::gil_cell::{CellGuard, GilCell};
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;
use crate::task::body::Body;
use crate::task::yielded;

/// A running call of an async function: what `fn.asynq(...)` returns.
///
/// `yield` it in another async function to wait for its value, or call `value()`.
///
/// `generator` is what it runs, and `fn`, `args` and `kwargs` say what was called. A subclass is put
/// to use by `@asynq(cls=...)`.
#[pyclass(frozen, extends = FutureBase, subclass, weakref, module = "asynq.async_task")]
pub(crate) struct AsyncTask(pub(crate) GilCell<Task>);

/// What changes of a [`AsyncTask`].
pub(crate) struct Task {
    pub(crate) body: Body,
    pub(crate) function: Option<Py<PyAny>>,
    pub(crate) args: Args,
    pub(crate) kwargs: Option<Py<PyDict>>,
    pub(crate) creator: Option<Py<PyWeakrefReference>>,
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
    pub(crate) fn state(&self) -> CellGuard<'_, Task> {
        self.0.take()
    }
}

impl Task {
    pub(crate) fn blank() -> Self {
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

/// Whether the garbage collector walks over a task and its generator; see [`gc_tracking`].
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
    pub(crate) creator: Option<Py<AsyncTask>>,
    /// Everything it has yielded so far, for `KEEP_DEPENDENCIES`.
    pub(crate) kept: Option<Py<PyList>>,
    pub(crate) name: Option<Py<PyAny>>,
    pub(crate) perf_stats: Option<Py<PyAny>>,
    pub(crate) id: i64,
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
        let task = Bound::new(py, base.add_subclass(Self(GilCell::new(task))))?;
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

    pub(crate) fn announce(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let switches = Switches::on();
        if switches.has(Switches::COLLECT_PERF_STATS) {
            let id = imports::incr_counter(py)?.call0()?.extract()?;
            slf.get().state().rare().id = id;
        }
        if switches.has(Switches::DUMP_NEW_TASKS) {
            imports::trace(py, "new_task", (slf,));
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
            gc_tracking::pause(&generator);
        }
        gc_tracking::pause(slf);
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
            Outcome::Value(value) if gc_tracking::is_leaf(value.bind(py))
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
            gc_tracking::resume(&generator);
        }
        gc_tracking::resume(slf);
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
            gc_tracking::resume(generator.bind(py));
            closed = generator.call_method0(py, intern!(py, "close")).map(|_| ());
            defer_drop(Some(generator));
        }
        if let Some(contexts) = contexts {
            Scheduler::forget_contexts(&contexts);
        }
        if Switches::on().has(Switches::COLLECT_PERF_STATS) {
            // It reads what the task waits for, which is given up only now.
            slf.get().state().waiting = waiting;
            imports::describe(py, "task_collect_perf_stats", (slf,))?;
            defer_drop(slf.get().state().waiting.take());
        } else {
            defer_drop(waiting);
        }
        let kept = slf.get().state().rare.as_mut().and_then(|rare| rare.kept.take());
        drop(kept);
        closed
    }

    /// What the task has yielded and waits for, one after the other.
    pub(crate) fn dependencies<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
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

impl Drop for Task {
    fn drop(&mut self) {
        if let Body::Generator(generator) = std::mem::replace(&mut self.body, Body::Ended) {
            if self.tracking != Tracking::On {
                // A generator that is not on the lists of the collector must not die.
                Python::attach(|py| gc_tracking::resume(generator.bind(py)));
            }
            defer_drop(Some(generator));
        }
        std::mem::take(&mut self.args).defer_drop();
        defer_drop(self.kwargs.take());
        defer_drop(self.function.take());
        defer_drop(self.waiting.take());
        if let Some(rare) = &mut self.rare {
            defer_drop(rare.creator.take());
        }
    }
}

pub(crate) fn reference(
    task: Option<&Bound<'_, AsyncTask>>,
) -> PyResult<Option<Py<PyWeakrefReference>>> {
    task.map(|task| PyWeakrefReference::new(task.as_any()).map(Bound::unbind)).transpose()
}

pub(crate) fn bound_or_none<'py>(py: Python<'py>, object: Option<&Py<PyAny>>) -> Bound<'py, PyAny> {
    object.map_or_else(|| py.None().into_bound(py), |object| object.bind(py).clone())
}
