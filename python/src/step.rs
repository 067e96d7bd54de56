//! One step of a task: from where it waits to where it waits again, or to its end.

use asynq_engine::{Dependency, TaskId, Until};
use pyo3::exceptions::{PyGeneratorExit, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::intern;

use crate::body::{self, Advance, Body};
use crate::context::Entered;
use crate::future::{FutureBase, Kind, settle};
use crate::graveyard::bury;
use crate::item::BatchItemBase;
use crate::names;
use crate::options::{self, Switches};
use crate::outcome::Outcome;
use crate::overrides::overrides;
use crate::scheduler::{Job, Scheduler};
use crate::task::{AsyncTask, Verdict};
use crate::yielded;

/// Runs a task until it has ended, or waits for something that has no value yet.
pub(crate) fn run(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let caller = scheduler.active.replace(Some(task.clone().unbind()));
    let ended = advance(scheduler, task);
    let task_again = std::mem::replace(&mut *scheduler.active.borrow_mut(), caller);
    drop(task_again);
    match ended {
        None => Ok(()),
        Some(outcome) => end(py, task, outcome),
    }
}

/// `None` if the task waits, otherwise what it came to.
fn advance(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> Option<Outcome> {
    let py = task.py();
    if task.borrow_mut().suspended
        && let Err(error) = reenter_contexts(scheduler, task)
    {
        return Some(failure(py, task, &error));
    }
    let (waited_for, verdict, suspended) = {
        let mut inner = task.borrow_mut();
        let verdict = inner.rare.as_mut().and_then(|rare| rare.verdict.take());
        (inner.waiting.take(), verdict, std::mem::take(&mut inner.suspended))
    };
    let mut sent = match (verdict, &waited_for) {
        (Some(Verdict::Fail(error)), _) => return Some(failure(py, task, &error)),
        (Some(Verdict::Throw(error)), _) => Err(error),
        (None, None) => Ok(py.None().into_bound(py)),
        // What it waits for was perhaps left behind with it.
        (None, Some(waiting)) if suspended => match must_wait(scheduler, task, waiting.bind(py)) {
            Ok(true) => {
                wait(scheduler, task, waiting.bind(py).clone());
                return None;
            }
            Ok(false) => yielded::unwrap(waiting.bind(py)),
            Err(error) => Err(error),
        },
        (None, Some(waiting)) => yielded::unwrap(waiting.bind(py)),
    };
    bury(waited_for);
    loop {
        let yielded = match send(task, sent) {
            Ok(Advance::Yield(yielded)) => yielded,
            Ok(Advance::Return(value)) => return Some(Outcome::Value(value.unbind())),
            Err(error) => return Some(raised(py, task, &error)),
        };
        if !Switches::on().none() {
            report_yield(py, task, &yielded);
        }
        sent = match must_wait(scheduler, task, &yielded) {
            Ok(true) => {
                wait(scheduler, task, yielded);
                return None;
            }
            Ok(false) => yielded::unwrap(&yielded),
            Err(error) => Err(error),
        };
        if !task.as_super().borrow_mut().outcome.is_pending() {
            // Somebody else has set its value meanwhile.
            return None;
        }
    }
}

/// The engine has forgotten the contexts that a suspended task is in, and they are paused.
#[cold]
fn reenter_contexts(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let entered = match &mut task.borrow_mut().rare {
        Some(rare) => std::mem::take(&mut rare.contexts),
        None => return Ok(()),
    };
    for Entered { context, .. } in entered {
        let context = context.into_bound(py);
        let Some(id) = scheduler.enter_context(&context) else { continue };
        let again = Entered { id, context: context.clone().unbind() };
        task.borrow_mut().rare().contexts.push(again);
        context.call_method0(intern!(py, "resume"))?;
    }
    Ok(())
}

/// Sends a value or an error into the generator, or calls the function.
fn send<'py>(
    task: &Bound<'py, AsyncTask>,
    sent: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Advance<'py>> {
    let py = task.py();
    let (generator, call) = {
        let mut inner = task.borrow_mut();
        inner.steps += 1;
        inner.running = true;
        match &inner.body {
            Body::Generator(generator) => (Some(generator.bind(py).clone()), None),
            Body::Call => {
                inner.body = Body::Ended;
                (None, Some(inner.call(py)))
            }
            Body::Ended => (None, None),
        }
    };
    let result = match (generator, call) {
        (Some(generator), _) => match &sent {
            Ok(value) => body::send(&generator, value),
            Err(error) => body::throw(&generator, error),
        },
        (None, Some((function, args, kwargs))) => match sent {
            Ok(_) => body::call(&function, &args, kwargs.as_ref()),
            Err(error) => Err(error),
        },
        (None, None) => sent.map(|_| Advance::Return(py.None().into_bound(py))),
    };
    let ended = {
        let mut inner = task.borrow_mut();
        inner.running = false;
        match result {
            Ok(Advance::Yield(_)) => Body::Ended,
            _ => std::mem::replace(&mut inner.body, Body::Ended),
        }
    };
    if let Body::Generator(generator) = ended {
        bury(Some(generator));
    }
    result
}

/// What a task comes to whose code has raised `error`.
fn raised(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    // `result(x)` is an exception, so that it works in the middle of an expression.
    if error.is_instance_of::<PyGeneratorExit>(py) {
        let class = error.get_type(py);
        if names::task_result(py).is_ok_and(|result| class.is(result)) {
            return match error.value(py).getattr(intern!(py, "result")) {
                Ok(value) => Outcome::Value(value.unbind()),
                Err(error) => failure(py, task, &error),
            };
        }
        if !names::task_cancelled(py).is_ok_and(|cancelled| class.is(cancelled)) {
            return Outcome::Value(py.None());
        }
    }
    failure(py, task, error)
}

/// The outcome of a task that fails by `error`, which learns the name of the first task it met.
fn failure(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    let value = error.value(py);
    if !value.hasattr(intern!(py, "_task")).unwrap_or(true) {
        // An exception class may forbid it; then it does without.
        let _ = value.setattr(intern!(py, "_task"), task);
    }
    if Switches::on().has(Switches::DUMP_EXCEPTIONS) {
        names::trace(py, "exception", (value,));
    }
    Outcome::from_err(py, error)
}

/// A task has ended.
fn end(py: Python<'_>, task: &Bound<'_, AsyncTask>, outcome: Outcome) -> PyResult<()> {
    if Switches::on().has(Switches::DUMP_QUEUED_RESULTS) {
        match &outcome {
            Outcome::Value(value) => names::trace(py, "queued_result", (task, value)),
            Outcome::Error(error, _) => names::trace(py, "queued_error", (task, error)),
            Outcome::Pending => {}
        }
    }
    if task.as_super().borrow_mut().outcome.is_pending() {
        settle(task.as_super(), outcome)
    } else {
        outcome.bury();
        Ok(())
    }
}

fn wait<'py>(scheduler: &Scheduler, task: &Bound<'py, AsyncTask>, yielded: Bound<'py, PyAny>) {
    task.borrow_mut().waiting = Some(yielded.unbind());
    scheduler.engine().block(Until::All);
}

/// Tells the engine of everything in `yielded` that has no value yet. Returns whether there is
/// anything.
fn must_wait<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    yielded: &Bound<'py, PyAny>,
) -> PyResult<bool> {
    if yielded.is_none() {
        return Ok(false);
    }
    let mut pending = false;
    yielded::for_each_future(yielded, &mut |future| {
        if let Some(on) = register(scheduler, future)? {
            if !Switches::on().none() {
                report_dependency(task, future);
            }
            pending |= scheduler.engine().depend(on);
        }
        Ok(())
    })?;
    Ok(pending)
}

/// Under which id the scheduler knows a future, from now on; `None` if that has its value.
fn register(scheduler: &Scheduler, future: &Bound<'_, FutureBase>) -> PyResult<Option<Dependency>> {
    let (kind, home, node) = {
        let inner = future.borrow_mut();
        if !inner.outcome.is_pending() {
            return Ok(None);
        }
        (inner.kind, inner.home, inner.node)
    };
    if kind == Kind::Item {
        return BatchItemBase::register(future.cast()?, scheduler).map(|item| Some(item.into()));
    }
    if let Some(node) = node {
        scheduler.check_home(home, future.as_any())?;
        return Ok(Some(node.into()));
    }
    add(scheduler, future, kind).map(|node| Some(node.into()))
}

/// Makes a future known to the scheduler of this thread.
pub(crate) fn add(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
    kind: Kind,
) -> PyResult<TaskId> {
    let node = {
        let mut engine = scheduler.engine();
        if engine.task_count() >= options::max_tasks() {
            return Err(PyRuntimeError::new_err(format!(
                "Number of scheduled tasks exceeded maximum threshold: {} are alive. If that is \
                 not an endless recursion, raise asynq.debug.options.MAX_TASK_STACK_SIZE",
                engine.task_count()
            )));
        }
        match kind {
            Kind::Task => engine.add_task(Job::Task(future.cast::<AsyncTask>()?.clone().unbind())),
            Kind::Plain if !computes(future) => {
                engine.add_promise(Job::Future(future.clone().unbind()))
            }
            _ => engine.add_task(Job::Future(future.clone().unbind())),
        }
    };
    let mut inner = future.borrow_mut();
    inner.home = scheduler.home;
    inner.node = Some(node);
    Ok(node)
}

/// Whether a future knows how to get its value.
fn computes(future: &Bound<'_, FutureBase>) -> bool {
    overrides::<FutureBase>(future.as_any(), intern!(future.py(), "_compute"))
}

/// Runs a future that is not a task: has it compute its value.
pub(crate) fn compute(scheduler: &Scheduler, future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let computed = future.call_method0(intern!(py, "_compute"));
    if !future.borrow().outcome.is_pending() {
        return Ok(());
    }
    if let Err(error) = computed {
        return settle(future, Outcome::from_err(py, &error));
    }
    // Somebody else will set it; if nobody does, that is a deadlock.
    scheduler.engine().block(Until::All);
    Ok(())
}

#[cold]
fn report_yield(py: Python<'_>, task: &Bound<'_, AsyncTask>, yielded: &Bound<'_, PyAny>) {
    if Switches::on().has(Switches::DUMP_YIELD_RESULTS) {
        names::trace(py, "yield_result", (task, yielded));
    }
    if Switches::on().has(Switches::KEEP_DEPENDENCIES) {
        let kept = {
            let mut inner = task.borrow_mut();
            let kept = inner.rare().kept.get_or_insert_with(|| PyList::empty(py).unbind());
            kept.bind(py).clone()
        };
        // A structure that cannot be walked is reported when it is awaited.
        let _ = yielded::for_each_future(yielded, &mut |future| kept.append(future));
    }
}

#[cold]
fn report_dependency(task: &Bound<'_, AsyncTask>, future: &Bound<'_, FutureBase>) {
    let py = task.py();
    let switches = Switches::on();
    if switches.has(Switches::DUMP_SCHEDULE_TASK) {
        names::trace(py, "schedule_task", (future,));
    }
    if switches.has(Switches::DUMP_DEPENDENCIES) {
        names::trace(py, "dependency", (task, future));
    }
    if switches.has(Switches::DUMP_SCHEDULE_BATCH)
        && let Ok(item) = future.cast::<BatchItemBase>()
        && let Ok(batch) = BatchItemBase::batch_of(item)
    {
        names::trace(py, "schedule_batch", (batch,));
    }
}
