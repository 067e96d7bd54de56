//! Drop of a task, and the warning about one that nobody has asked for.

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::ffi::interpreter;
use crate::ffi::raised_error::RaisedError;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::imports;
use crate::task::async_task::{AsyncTask, Demand, Task, bound_or_none};
use crate::task::body::Body;

impl Drop for Task {
    fn drop(&mut self) {
        std::mem::take(&mut self.args).defer_drop();
        defer_drop(self.kwargs.take());
        defer_drop(self.function.take());
        defer_drop(self.waiting.take());
        defer_drop(self.snapshot.take().map(Context::into_object));
        if let Some(rare) = &mut self.rare {
            defer_drop(rare.variables.take().map(Context::into_object));
            defer_drop(rare.creator.take());
            defer_drop(rare.kept.take());
            defer_drop(rare.flushes.take());
            defer_drop(rare.loop_task.take());
            defer_drop(rare.name.take());
            defer_drop(rare.created_in.take());
            defer_drop(rare.perf_stats.take());
            rare.contexts.drain(..).for_each(|entered| defer_drop(Some(entered.context)));
        }
    }
}

/// Warns of a task that goes before its first step, if nobody has asked for its value.
#[inline]
pub(crate) fn finalize(py: Python<'_>, cell: &GilCell<Task>) {
    let is_new = {
        let task = cell.take(py);
        task.steps == 0 && matches!(task.body, Body::Generator(_) | Body::Call)
    };
    if is_new {
        never_started(py, cell);
    }
}

/// Does the same for a new task, and closes its coroutine, of which the interpreter would warn.
#[cold]
fn never_started(py: Python<'_>, cell: &GilCell<Task>) {
    if !interpreter::is_running() {
        return;
    }
    let raised = RaisedError::set_aside(py);
    let (demand, coroutine, function, args, creator, place) = {
        let mut task = cell.take(py);
        let coroutine = match &task.body {
            Body::Generator(generator) => Some(generator.get().bind(py).clone()),
            _ => None,
        };
        (
            // It may be finalised again: as an object of a subclass, which somebody has kept alive.
            std::mem::replace(&mut task.demand, Demand::Asked),
            coroutine.filter(is_coroutine),
            bound_or_none(py, task.function.as_ref()),
            task.args.clone_ref(py),
            task.creator.as_ref().map(|creator| creator.bind(py).clone()),
            task.rare.as_ref().and_then(|rare| Some(rare.created_in.as_ref()?.bind(py).clone())),
        )
    };
    if let Some(coroutine) = coroutine
        && let Err(error) = coroutine.call_method0(pyo3::intern!(py, "close"))
    {
        error.write_unraisable(py, None);
    }
    // They were not forgotten, but this one.
    args.for_each(py, |arg| {
        if let Ok(task) = arg.cast::<AsyncTask>() {
            task.state().demand = Demand::Asked;
        }
    });
    if demand != Demand::Never || raised.is_some() || has_failed(creator) {
        return;
    }
    let warned = imports::warn_of_drop(py).and_then(|warn| warn.call1((&function, place)));
    if let Err(error) = warned {
        error.write_unraisable(py, Some(&function));
    }
}

/// Returns whether the task that made this one has failed, or is gone: then this one was not forgotten.
fn has_failed(creator: Option<Bound<'_, PyWeakrefReference>>) -> bool {
    let Some(creator) = creator else { return false };
    let creator = creator.upgrade();
    let Some(creator) = creator.as_ref().and_then(|creator| creator.cast::<AsyncTask>().ok())
    else {
        return true;
    };
    if let Some(outcome) = FutureBase::outcome(creator.as_super()) {
        return outcome.is_err();
    }
    // If its code has ended by now, it has raised: what a function holds is dropped before it returns.
    let creator = creator.state();
    !creator.running && matches!(creator.body, Body::Ended)
}
