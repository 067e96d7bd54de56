//! One step of a task: from where it waits to where it waits again, or to its end.

use asynq_engine::{Dependency, TaskId, Until};
use pyo3::exceptions::{PyGeneratorExit, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::batch::item::BatchItemBase;
use crate::context::Entered;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gc_tracking;
use crate::future::base::{FutureBase, Kind, settle, settle_from};
use crate::future::outcome::Outcome;
use crate::imports;
use crate::options::{self, Switches};
use crate::overrides::overrides;
use crate::scheduler::deadlock;
use crate::scheduler::state::{Job, Scheduler};
use crate::task::async_task::{AsyncTask, Tracking, Verdict};
use crate::task::body::{self, Advance, Body};
use crate::task::yielded;

/// Runs a task until it has ended, or waits for something that has no value yet.
pub(crate) fn run(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    scheduler.call_stack.push_task(task);
    let ended = advance(scheduler, task);
    scheduler.call_stack.pop(py);
    match ended {
        None => Ok(()),
        Some(outcome) => end(scheduler, task, outcome),
    }
}

/// `None` if the task waits, otherwise what it came to.
fn advance(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> Option<Outcome> {
    let py = task.py();
    if task.get().state().suspended
        && let Err(error) = reenter_contexts(scheduler, task)
    {
        return Some(failure(py, task, &error));
    }
    let (waited_for, verdict, suspended) = {
        let mut inner = task.get().state();
        let verdict = inner.rare.as_mut().and_then(|rare| rare.verdict.take());
        (inner.waiting.take(), verdict, std::mem::take(&mut inner.suspended))
    };
    let sent = match (verdict, &waited_for) {
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
    defer_drop(waited_for);
    let result = send(task, sent);
    stepped(task, &result);
    proceed(scheduler, task, result)
}

/// Takes a call that the engine did not begin to where it has to wait, or to its end.
pub(crate) fn go_on<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    result: PyResult<Advance<'py>>,
) -> Option<Outcome> {
    stepped(task, &result);
    proceed(scheduler, task, result)
}

/// From the result of one step on, until the task has to wait, or has ended.
fn proceed<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    mut result: PyResult<Advance<'py>>,
) -> Option<Outcome> {
    let py = task.py();
    loop {
        let yielded = match result {
            Ok(Advance::Yield(yielded)) => yielded,
            Ok(Advance::Return(value)) => return Some(Outcome::Value(value.unbind())),
            Err(error) => return Some(raised(py, task, &error)),
        };
        if !Switches::on().none() {
            report_yield(py, task, &yielded);
        }
        let sent = match must_wait(scheduler, task, &yielded) {
            Ok(true) => {
                wait(scheduler, task, yielded);
                return None;
            }
            Ok(false) => yielded::unwrap(&yielded),
            Err(error) => Err(error),
        };
        if !task.as_super().get().state().outcome.is_pending() {
            // Somebody else has set its value meanwhile.
            return None;
        }
        result = send(task, sent);
        stepped(task, &result);
    }
}

/// The engine has forgotten the contexts that a suspended task is in, and they are paused.
#[cold]
fn reenter_contexts(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let entered = match &mut task.get().state().rare {
        Some(rare) => std::mem::take(&mut rare.contexts),
        None => return Ok(()),
    };
    for Entered { context, .. } in entered {
        let context = context.into_bound(py);
        let Some(id) = scheduler.enter_context(&context) else { continue };
        let again = Entered { id, context: context.clone().unbind() };
        task.get().state().rare().contexts.push(again);
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
        let mut inner = task.get().state();
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
    match (generator, call) {
        (Some(generator), _) => match &sent {
            Ok(value) => body::send(&generator, value),
            Err(error) => body::throw(&generator, error),
        },
        (None, Some((function, args, kwargs))) => match sent {
            Ok(_) => body::call(&function, &args, kwargs.as_ref()),
            Err(error) => Err(error),
        },
        (None, None) => sent.map(|_| Advance::Return(py.None().into_bound(py))),
    }
}

/// The code of a task has stopped running, for now or for good.
fn stepped(task: &Bound<'_, AsyncTask>, result: &PyResult<Advance<'_>>) {
    let (ended, paused) = {
        let mut inner = task.get().state();
        inner.running = false;
        match result {
            Ok(Advance::Yield(_)) => return,
            _ => (std::mem::replace(&mut inner.body, Body::Ended), inner.tracking != Tracking::On),
        }
    };
    if let Body::Generator(generator) = ended {
        if paused {
            gc_tracking::resume(generator.bind(task.py()));
        }
        defer_drop(Some(generator));
    }
}

/// What a task comes to whose code has raised `error`.
fn raised(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    // `result(x)` is an exception, so that it works in the middle of an expression.
    if error.is_instance_of::<PyGeneratorExit>(py) {
        let class = error.get_type(py);
        if imports::task_result(py).is_ok_and(|result| class.is(result)) {
            return match error.value(py).getattr(intern!(py, "result")) {
                Ok(value) => Outcome::Value(value.unbind()),
                Err(error) => failure(py, task, &error),
            };
        }
        if !imports::task_cancelled(py).is_ok_and(|cancelled| class.is(cancelled)) {
            return Outcome::Value(py.None());
        }
    }
    failure(py, task, error)
}

/// The outcome of a task that fails by `error`, which learns the name of the first task it met.
fn failure(py: Python<'_>, task: &Bound<'_, AsyncTask>, error: &PyErr) -> Outcome {
    let value = error.value(py);
    if !value.hasattr(intern!(py, "_task")).unwrap_or(true) {
        AsyncTask::keep_creators(task);
        // An exception class may forbid it; then it does without.
        let _ = value.setattr(intern!(py, "_task"), task);
    }
    let outcome = Outcome::from_err(py, error);
    if Switches::on().has(Switches::DUMP_EXCEPTIONS) {
        imports::trace(py, "exception", (value,));
    }
    outcome
}

/// A task has ended.
pub(crate) fn end(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    outcome: Outcome,
) -> PyResult<()> {
    let py = task.py();
    if Switches::on().has(Switches::DUMP_QUEUED_RESULTS) {
        match &outcome {
            Outcome::Value(value) => imports::trace(py, "queued_result", (task, value)),
            Outcome::Error(error, _) => imports::trace(py, "queued_error", (task, error)),
            Outcome::Pending => {}
        }
    }
    if task.as_super().get().state().outcome.is_pending() {
        settle_from(Some(scheduler), task.as_super(), outcome)
    } else {
        outcome.defer_drop();
        Ok(())
    }
}

fn wait<'py>(scheduler: &Scheduler, task: &Bound<'py, AsyncTask>, yielded: Bound<'py, PyAny>) {
    task.get().state().waiting = Some(yielded.unbind());
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
pub(crate) fn register(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
) -> PyResult<Option<Dependency>> {
    let (kind, home, node) = {
        let inner = future.get().state();
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

/// Makes a task known to the scheduler of this thread whose code is running already.
pub(crate) fn add_running(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> TaskId {
    let node = scheduler.engine().add_task(Job::Task(task.clone().unbind()));
    known(scheduler, task.as_super(), node);
    node
}

fn known(scheduler: &Scheduler, future: &Bound<'_, FutureBase>, node: TaskId) {
    let mut future = future.get().state();
    future.home = scheduler.home();
    future.node = Some(node);
}

/// Makes a future known to the scheduler of this thread.
pub(crate) fn add(
    scheduler: &Scheduler,
    future: &Bound<'_, FutureBase>,
    kind: Kind,
) -> PyResult<TaskId> {
    let is_promise = kind == Kind::Plain && !computes(future);
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
            Kind::Task => {
                let task = future.cast::<AsyncTask>()?;
                if task.get().state().running {
                    drop(engine);
                    return Err(waits_for_itself(task));
                }
                engine.add_task(Job::Task(task.clone().unbind()))
            }
            _ if is_promise => engine.add_promise(Job::Future(future.clone().unbind())),
            _ => engine.add_task(Job::Future(future.clone().unbind())),
        }
    };
    known(scheduler, future, node);
    if kind == Kind::Task {
        AsyncTask::pause_tracking(future.cast::<AsyncTask>()?, Tracking::Paused);
    }
    Ok(node)
}

fn waits_for_itself(task: &Bound<'_, AsyncTask>) -> PyErr {
    let name = deadlock::name(task.as_any());
    imports::new_error(
        imports::task_error,
        task.py(),
        format!(
            "{name} is running: it can't be awaited by what it has called, nor in another thread \
             (deadlock)"
        ),
    )
}

/// Whether a future knows how to get its value.
fn computes(future: &Bound<'_, FutureBase>) -> bool {
    overrides::<FutureBase>(future.as_any(), intern!(future.py(), "_compute"))
}

/// Runs a future that is not a task: has it compute its value.
pub(crate) fn compute(scheduler: &Scheduler, future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    let computed = future.call_method0(intern!(py, "_compute"));
    if !future.get().state().outcome.is_pending() {
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
        imports::trace(py, "yield_result", (task, yielded));
    }
    if Switches::on().has(Switches::KEEP_DEPENDENCIES) {
        let empty = PyList::empty(py).unbind();
        let kept = task.get().state().rare().kept.get_or_insert(empty).bind(py).clone();
        // A structure that cannot be walked is reported when it is awaited.
        let _ = yielded::for_each_future(yielded, &mut |future| kept.append(future));
    }
}

#[cold]
fn report_dependency(task: &Bound<'_, AsyncTask>, future: &Bound<'_, FutureBase>) {
    let py = task.py();
    let switches = Switches::on();
    if switches.has(Switches::DUMP_SCHEDULE_TASK) {
        imports::trace(py, "schedule_task", (future,));
    }
    if switches.has(Switches::DUMP_DEPENDENCIES) {
        imports::trace(py, "dependency", (task, future));
    }
}
