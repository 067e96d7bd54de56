//! Inline starts: a task that is asked for the first time starts where it is asked for. See
//! `Note: inline starts` in the engine.

use asynq_engine::{Dependency, Until};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::batch::item::BatchItemBase;
use crate::explain::log;
use crate::ffi::deferred_drop::release;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::sequence_items;
use crate::ffi::unowned::Unowned;
use crate::future::base::FutureBase;
use crate::future::outcome::Outcome;
use crate::options::Switches;
use crate::scheduler::job::Job;
use crate::scheduler::register::{self, register, register_open_item};
use crate::scheduler::starts::{Blocked, Start};
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Demand, PendingError, Tracking};
use crate::task::body::{Advance, Body};
use crate::task::code;
use crate::task::gather::Gather;
use crate::task::recorded;
use crate::task::yielded;

/// Number of tasks that may be started inside each other, each of which takes some native stack.
const MAX_DEPTH: u32 = 30;

/// Continues a task in the general way, until it has to wait or has ended.
pub(crate) type Proceed =
    for<'py> fn(&Scheduler, &Bound<'py, AsyncTask>, PyResult<Advance<'py>>) -> Option<Outcome>;

/// State of a task that has yielded something.
pub(crate) enum Waits {
    /// It goes on at once.
    No,
    /// It has to wait for this.
    ForOne(Dependency),
    /// It has to wait for these.
    For(Vec<Dependency>),
    /// It waits already: the state of the engine is settled.
    Settled,
    /// That has to be found out in the general way.
    Unknown,
}

/// Starts the tasks that the running one has yielded, if nobody has asked for them before.
pub(crate) fn start<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    yielded: &Bound<'py, PyAny>,
    proceed: Proceed,
) -> Waits {
    match fresh_tasks(scheduler, yielded) {
        Some((children, count))
            if scheduler.starts_inline(count, MAX_DEPTH)
                && scheduler.variables.can_be_left(task) =>
        {
            start_all(scheduler, task, yielded, &children, count, proceed)
        }
        _ => Waits::Unknown,
    }
}

/// Returns the task, or the list or tuple of tasks, that `yielded` is or gathers, and the number of tasks, if
/// nobody has asked for any of them, and there is nothing else.
fn fresh_tasks<'py>(
    scheduler: &Scheduler,
    yielded: &Bound<'py, PyAny>,
) -> Option<(Bound<'py, PyAny>, usize)> {
    if !Switches::on().none_but_record() {
        return None;
    }
    if let Ok(task) = yielded.cast_exact::<AsyncTask>() {
        return is_fresh(scheduler, task).then(|| (yielded.clone(), 1));
    }
    let is_fresh = |item: &Bound<'_, PyAny>| {
        item.cast_exact::<AsyncTask>().is_ok_and(|task| is_fresh(scheduler, task))
    };
    if let Ok(list) = yielded.cast_exact::<PyList>() {
        return sequence_items::all(list, is_fresh).then(|| (yielded.clone(), list.len()));
    }
    let tuple = match yielded.cast_exact::<PyTuple>() {
        Ok(tuple) => tuple.clone(),
        Err(_) => Gather::awaitables(yielded.cast_exact().ok()?),
    };
    let count = tuple.len();
    sequence_items::all(&tuple, is_fresh).then(|| (tuple.into_any(), count))
}

/// Returns whether nobody has asked for a task. Without the GIL, it is one of this scheduler from then on.
fn is_fresh(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> bool {
    let is_unknown = {
        let future = task.as_super().state();
        future.outcome().is_pending() && future.engine_id.is_none()
    };
    let is_unknown = is_unknown
        && (cfg!(not(Py_GIL_DISABLED))
            || register::claim(scheduler, task.as_super()) == scheduler.id());
    let (flags, task) = (task.header(), task.state());
    is_unknown
        && flags.steps.get() == 0
        && !flags.running.get()
        && flags.demand.get() != Demand::Suspended
        && task.rare.is_none()
        && matches!(task.body, Body::Generator(_) | Body::Call)
}

/// Returns the task at an index.
fn child<'py>(children: &Bound<'py, PyAny>, index: usize) -> Option<Bound<'py, AsyncTask>> {
    let item = if let Ok(list) = children.cast_exact::<PyList>() {
        list.get_item(index).ok()?
    } else if let Ok(tuple) = children.cast_exact::<PyTuple>() {
        tuple.get_item(index).ok()?
    } else if index == 0 {
        children.clone()
    } else {
        return None;
    };
    item.cast_into_exact().ok()
}

fn start_all<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    awaited: &Bound<'py, PyAny>,
    children: &Bound<'py, PyAny>,
    count: usize,
    proceed: Proceed,
) -> Waits {
    let depth = scheduler.start_depth.get();
    scheduler.start_depth.set(depth + 1);
    let waits = start_each(scheduler, task, awaited, children, count, proceed);
    scheduler.start_depth.set(depth);
    waits
}

fn start_each<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    awaited: &Bound<'py, PyAny>,
    children: &Bound<'py, PyAny>,
    count: usize,
    proceed: Proceed,
) -> Waits {
    let before = task.state().waiting.replace(awaited.clone().unbind());
    release(task.py(), before);
    let depth = scheduler.push_start(
        Start {
            task: Unowned::new(task),
            children: Unowned::new(children),
            count,
            started: 0,
            blocked: Blocked::None,
        },
        settle,
    );
    for index in 0..count {
        let Some(child) = child(children, index) else { break };
        scheduler.count_start();
        let is_blocked = if is_fresh(scheduler, &child) {
            let place = scheduler.variables.enter(&child);
            let is_blocked = run(scheduler, &child, depth, proceed);
            scheduler.variables.leave(&child, place);
            is_blocked
        } else {
            // One that was started before it awaits it, or the same task stands here twice.
            let future = child.as_super().state();
            let scheduler_id = child.as_super().header().scheduler_id.get();
            let is_known = cfg!(not(Py_GIL_DISABLED)) || scheduler_id == scheduler.id();
            future.engine_id.filter(|_| is_known).map(Dependency::from)
        };
        if !scheduler.is_starting(depth) {
            scheduler.variables.return_to(task);
            return Waits::Settled;
        }
        if let Some(dependency) = is_blocked {
            scheduler.add_blocked_start(dependency);
        }
    }
    scheduler.variables.return_to(task);
    match scheduler.pop_start() {
        Blocked::None => {
            let before = task.state().waiting.take();
            release(task.py(), before);
            Waits::No
        }
        Blocked::One(dependency) => Waits::ForOne(dependency),
        Blocked::Many(dependencies) => Waits::For(dependencies),
    }
}

/// Runs a task from its beginning. Returns its id if it has to wait, unless the state of the engine was
/// settled meanwhile.
fn run(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    depth: usize,
    proceed: Proceed,
) -> Option<Dependency> {
    let py = task.py();
    task.header().demand.set(Demand::Asked);
    let running = scheduler.call_stack.push_task(task);
    let mut result = code::send(scheduler, task, Ok(py.None().into_bound(py)));
    code::stepped(task, &result);
    let outcome = loop {
        if !scheduler.is_starting(depth) {
            break proceed(scheduler, task, result);
        }
        let yielded = match result {
            Ok(Advance::Yield(yielded)) => yielded,
            ended => break code::ended(task, ended),
        };
        match waits(scheduler, task, &yielded, proceed) {
            Waits::No => {
                if !FutureBase::is_pending(task.as_super()) {
                    break None; // Somebody else has set its value meanwhile.
                }
                result = code::send(scheduler, task, yielded::unwrap(&yielded));
                code::stepped(task, &result);
            }
            Waits::ForOne(dependency) => {
                drop(running);
                return Some(block(scheduler, task, yielded, &[dependency]));
            }
            Waits::For(dependencies) => {
                drop(running);
                return Some(block(scheduler, task, yielded, &dependencies));
            }
            Waits::Settled => break None,
            Waits::Unknown => {
                scheduler.settle();
                result = Ok(Advance::Yield(yielded));
            }
        }
    };
    drop(running);
    if let Some(outcome) = outcome
        && let Err(error) = code::end(scheduler, task, outcome)
    {
        scheduler.settle();
        scheduler.fail_start(error);
    }
    None
}

/// Adds a task that has to wait to the engine.
fn block(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    yielded: Bound<'_, PyAny>,
    dependencies: &[Dependency],
) -> Dependency {
    if log::is_on() {
        recorded::waits(scheduler, task, &yielded);
    }
    let before = task.state().waiting.replace(yielded.unbind());
    release(task.py(), before);
    let job = Job::Task(task.clone().unbind());
    let engine_id = scheduler.unsettled_engine().add_blocked(job.into(), dependencies);
    register::set_engine_id(scheduler, task.as_super(), engine_id);
    AsyncTask::pause_tracking(task, Tracking::Paused);
    engine_id.into()
}

/// Decides whether a task that was started inline has to wait.
fn waits<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    yielded: &Bound<'py, PyAny>,
    proceed: Proceed,
) -> Waits {
    if let Some((children, count)) = fresh_tasks(scheduler, yielded) {
        return if !scheduler.variables.can_be_left(task) {
            Waits::Unknown
        } else if scheduler.goes_deeper(MAX_DEPTH) {
            start_all(scheduler, task, yielded, &children, count, proceed)
        } else {
            start_later(scheduler, yielded)
        };
    }
    match yielded.cast::<BatchItemBase>() {
        Ok(item) if Switches::on().none_but_record() => register_open_item(scheduler, item)
            .map_or(Waits::Unknown, |item| Waits::ForOne(item.into())),
        _ => Waits::Unknown,
    }
}

/// Lets the engine start a task, which is as deep as the native stack allows. Only if the tasks that wait for
/// it await nothing else that has not started: otherwise, that would start first.
fn start_later(scheduler: &Scheduler, yielded: &Bound<'_, PyAny>) -> Waits {
    match yielded.cast_exact::<AsyncTask>() {
        Ok(child) if scheduler.has_started_all() => register::add_fresh(scheduler, child)
            .map_or(Waits::Unknown, |id| Waits::ForOne(id.into())),
        _ => Waits::Unknown,
    }
}

/// Brings about the state in which the engine would be if no task had been started inline.
fn settle(scheduler: &Scheduler, starts: Vec<Start>) {
    Python::attach(|py| {
        for Start { task, children, started, blocked, .. } in starts {
            settle_one(scheduler, &task.get(py), &children.get(py), started, blocked.as_slice());
        }
    });
}

fn settle_one(
    scheduler: &Scheduler,
    task: &Bound<'_, AsyncTask>,
    children: &Bound<'_, PyAny>,
    started: usize,
    blocked: &[Dependency],
) {
    let mut waits = false;
    for &dependency in blocked {
        waits |= scheduler.engine().depend(dependency);
    }
    let last = started.checked_sub(1).and_then(|last| child(children, last));
    let running = last.filter(|last| {
        let future = last.as_super().state();
        future.outcome().is_pending() && future.engine_id.is_none()
    });
    let running = running.map(|running| {
        let job = Job::Task(running.clone().unbind());
        let engine_id = scheduler.engine().add_started(job.into());
        register::set_engine_id(scheduler, running.as_super(), engine_id);
        AsyncTask::pause_tracking(&running, Tracking::Paused);
        waits |= scheduler.engine().depend(engine_id);
        engine_id
    });
    let mut failed = None;
    for index in started.. {
        let Some(child) = child(children, index) else { break };
        child.header().demand.set(Demand::Asked);
        match register(scheduler, child.as_super()) {
            Ok(Some(on)) => waits |= scheduler.engine().depend(on),
            Err(error) if failed.is_none() => failed = Some(error),
            Ok(None) | Err(_) => {}
        }
    }
    if let Some(error) = failed {
        task.state().rare().pending_error = Some(PendingError::Throw(error));
    }
    if waits {
        let waiting = task.state().waiting.as_ref().map(|waiting| waiting.bind(task.py()).clone());
        if log::is_on()
            && let Some(waiting) = waiting
        {
            recorded::waits(scheduler, task, &waiting);
        }
        scheduler.engine().block(Until::All);
    } else {
        scheduler.engine().requeue();
    }
    if let Some(running) = running {
        scheduler.engine().go_on(running);
    }
}
