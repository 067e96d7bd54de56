//! One step of a task: from where it waits to where it waits again, or to its end.

use asynq_engine::Until;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::event_loop::foreign::{adopt, adopt_awaited};
use crate::explain::log;
use crate::ffi::deferred_drop::release;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::resume::is_coroutine;
use crate::future::base::{FutureBase, Kind};
use crate::future::outcome::Outcome;
use crate::future::resolve::resolve;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::register::register;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::{AsyncTask, Demand, Entered, PendingError};
use crate::task::body::{Advance, Body};
use crate::task::code::{end, ended, failure, send, stepped};
use crate::task::foreign;
use crate::task::inline::{self, Waits};
use crate::task::recorded;
use crate::task::yielded;

/// Runs a task until it has ended, or waits for something that has no value yet.
pub(crate) fn run(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let place = scheduler.variables.enter(task);
    let running = scheduler.call_stack.push_task(task);
    let ended = advance(scheduler, task);
    drop(running);
    let done = match ended {
        None => Ok(()),
        Some(outcome) => end(scheduler, task, outcome),
    };
    scheduler.variables.leave(task, place);
    done
}

/// Returns the outcome of the task, or `None` if it waits.
fn advance(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> Option<Outcome> {
    let py = task.py();
    let waited_for = {
        let mut state = task.state();
        let is_usual = task.header().demand.get() == Demand::Asked && state.rare.is_none();
        if is_usual { Some(state.waiting.take()) } else { None }
    };
    let Some(waited_for) = waited_for else { return advance_unusual(scheduler, task) };
    let sent = match &waited_for {
        None => Ok(py.None().into_bound(py)),
        Some(waiting) => yielded::unwrap(waiting.bind(py)),
    };
    release(py, waited_for);
    let result = send(scheduler, task, sent);
    stepped(task, &result);
    proceed(scheduler, task, result)
}

/// Advances a task that has a state that few tasks have, or that a call has left behind.
fn advance_unusual(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> Option<Outcome> {
    let py = task.py();
    if task.header().demand.get() == Demand::Suspended
        && let Err(error) = reenter_contexts(scheduler, task)
    {
        return Some(failure(py, task, &error));
    }
    let (waited_for, pending_error, suspended) = {
        let mut state = task.state();
        let pending_error = state.rare.as_mut().and_then(|rare| rare.pending_error.take());
        let demand = task.header().demand.replace(Demand::Asked);
        (state.waiting.take(), pending_error, demand == Demand::Suspended)
    };
    let sent = match (pending_error, &waited_for) {
        (Some(PendingError::Fail(error)), _) => return Some(failure(py, task, &error)),
        (Some(PendingError::Throw(error)), _) => Err(error),
        (None, None) => Ok(py.None().into_bound(py)),
        // The futures it waits for may have been left behind with it.
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
    release(py, waited_for);
    let result = send(scheduler, task, sent);
    stepped(task, &result);
    proceed(scheduler, task, result)
}

/// Continues a call that the engine did not begin, until it has to wait or has ended.
pub(crate) fn go_on<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    result: PyResult<Advance<'py>>,
) -> Option<Outcome> {
    stepped(task, &result);
    proceed(scheduler, task, result)
}

/// Continues after one step, until the task has to wait or has ended.
fn proceed<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    mut result: PyResult<Advance<'py>>,
) -> Option<Outcome> {
    let py = task.py();
    loop {
        let yielded = match result {
            Ok(Advance::Yield(yielded)) => yielded,
            result => return ended(task, result),
        };
        if !Switches::on().none() {
            report_yield(py, task, &yielded);
        }
        let awaited = if scheduler.event_loop().is_none() {
            Ok(yielded)
        } else if runs_a_coroutine(task) {
            adopt_awaited(yielded)
        } else {
            adopt(yielded)
        };
        // Tasks that nobody got to know because of an error are not forgotten: the task gets it first.
        let mut unknown = None;
        let sent = match awaited {
            Ok(awaited) => match start_or_wait(scheduler, task, &awaited) {
                Some(Ok(true)) => {
                    wait(scheduler, task, awaited);
                    return None;
                }
                Some(Ok(false)) => yielded::unwrap(&awaited),
                Some(Err(error)) => {
                    unknown = Some(awaited.unbind());
                    Err(error)
                }
                None => return None,
            },
            Err(error) => Err(error),
        };
        if !FutureBase::is_pending(task.as_super()) {
            // Somebody else has set its value meanwhile.
            return None;
        }
        result = send(scheduler, task, sent);
        stepped(task, &result);
        release(py, unknown);
    }
}

/// Enters the contexts of a suspended task again: they are paused, and the engine has forgotten them.
#[cold]
fn reenter_contexts(scheduler: &Scheduler, task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let entered = match &mut task.state().rare {
        Some(rare) => std::mem::take(&mut rare.contexts),
        None => return Ok(()),
    };
    for Entered { context, .. } in entered {
        let context = context.into_bound(py);
        let Some(id) = scheduler.enter_context(&context, task) else { continue };
        let context_again = context.clone().unbind();
        let again = Entered { scheduler_id: scheduler.id(), id, context: context_again };
        task.state().rare().contexts.push(again);
        context.call_method0(intern!(py, "resume"))?;
    }
    Ok(())
}

fn wait<'py>(scheduler: &Scheduler, task: &Bound<'py, AsyncTask>, yielded: Bound<'py, PyAny>) {
    if log::is_on() {
        recorded::waits(scheduler, task, &yielded);
    }
    let before = task.state().waiting.replace(yielded.unbind());
    release(task.py(), before);
    scheduler.engine().block(Until::All);
}

/// Starts the tasks in `yielded` inline, or tells the engine of its futures. Returns whether the task must
/// wait, `None` if it waits already.
fn start_or_wait<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    yielded: &Bound<'py, PyAny>,
) -> Option<PyResult<bool>> {
    let dependencies = match inline::start(scheduler, task, yielded, proceed) {
        Waits::No => return Some(Ok(false)),
        Waits::ForOne(dependency) => return Some(Ok(scheduler.engine().depend(dependency))),
        Waits::For(dependencies) => dependencies,
        Waits::Settled => return None,
        Waits::Unknown => {
            let waits = must_wait(scheduler, task, yielded);
            if log::is_on() && matches!(waits, Ok(false)) {
                recorded::sees(scheduler, task, yielded);
            }
            return Some(waits);
        }
    };
    let mut pending = false;
    for on in dependencies {
        pending |= scheduler.engine().depend(on);
    }
    Some(Ok(pending))
}

/// Tells the engine of each pending future in `yielded`. Returns whether the task must wait.
fn must_wait<'py>(
    scheduler: &Scheduler,
    task: &Bound<'py, AsyncTask>,
    yielded: &Bound<'py, PyAny>,
) -> PyResult<bool> {
    let mut pending = false;
    let is_ours = yielded::for_each_future(yielded, &mut |future| {
        if let Some(on) = register(scheduler, future)? {
            if !Switches::on().none() {
                report_dependency(task, future);
            }
            pending |= scheduler.engine().depend(on);
        }
        Ok(())
    })?;
    if !is_ours && runs_a_coroutine(task) {
        return foreign::wait(task, yielded);
    }
    Ok(pending)
}

fn runs_a_coroutine(task: &Bound<'_, AsyncTask>) -> bool {
    match &task.state().body {
        Body::Generator(generator) => is_coroutine(generator.get().bind(task.py())),
        Body::Missing | Body::Call | Body::Ended => false,
    }
}

/// Runs a future that is not a task: computes it.
pub(crate) fn compute(scheduler: &Scheduler, future: &Bound<'_, FutureBase>) -> PyResult<()> {
    let py = future.py();
    if future.header().kind == Kind::Foreign {
        scheduler.engine().block(Until::AnyOrWake); // Its event loop resolves it.
        return Ok(());
    }
    scheduler.variables.exit(py);
    let computed = future.call_method0(intern!(py, "_compute"));
    if !FutureBase::is_pending(future) {
        return Ok(());
    }
    if let Err(error) = computed {
        return resolve(future, Outcome::from_err(py, &error));
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
        let kept = task.state().rare().kept.get_or_insert(empty).bind(py).clone();
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
