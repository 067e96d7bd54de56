//! Cleanup of a task that was resolved.

use pyo3::intern;
use pyo3::prelude::*;

use crate::ffi::deferred_drop;
use crate::ffi::gil_cell::TakeState;
use crate::imports;
use crate::options::Switches;
use crate::scheduler::state::Scheduler;
use crate::task::async_task::AsyncTask;
use crate::task::body::Body;

/// Returns whether a task resolves the items of a batch in flight.
pub(crate) fn is_flush_task(task: &Bound<'_, AsyncTask>) -> bool {
    task.state().rare.as_ref().is_some_and(|rare| rare.flushes.is_some())
}

/// Gives up what a resolved task holds: its generator, its contexts, and what it waits for.
pub(crate) fn release(task: &Bound<'_, AsyncTask>) -> PyResult<()> {
    let py = task.py();
    let (body, waiting, contexts, (variables, snapshot)) = {
        let mut state = task.state();
        let body = std::mem::replace(&mut state.body, Body::Ended);
        let waiting = state.waiting.take();
        let contexts = state.rare.as_mut().map(|rare| std::mem::take(&mut rare.contexts));
        let own = state.rare.as_mut().and_then(|rare| rare.variables.take());
        (body, waiting, contexts, (own, state.snapshot.take()))
    };
    drop(snapshot);
    if contexts.is_none() && matches!(body, Body::Ended) && Switches::on().none_but_record() {
        // Most tasks have nothing else.
        deferred_drop::release(py, waiting);
        return Ok(());
    }
    let mut closed = Ok(());
    if let Body::Generator(mut generator) = body {
        generator.resume(py);
        // It may reset what it has set. If it runs, it is in its context already.
        let entered = variables.filter(|variables| variables.enter(py).is_ok());
        closed = generator.get().call_method0(py, intern!(py, "close")).map(|_| ());
        if let Some(variables) = entered {
            variables.exit(py)?;
        }
    }
    if let Some(contexts) = contexts {
        Scheduler::forget_contexts(&contexts);
    }
    if Switches::on().has(Switches::COLLECT_PERF_STATS) {
        // It reads what the task waits for, which is given up only now.
        let before = std::mem::replace(&mut task.state().waiting, waiting);
        deferred_drop::release(py, before);
        imports::describe(py, "task_collect_perf_stats", (task,))?;
        let waiting = task.state().waiting.take();
        deferred_drop::release(py, waiting);
    } else {
        deferred_drop::release(py, waiting);
    }
    let kept = {
        let mut state = task.state();
        state.rare.as_mut().map(|rare| (rare.kept.take(), rare.loop_task.take()))
    };
    drop(kept);
    closed
}
