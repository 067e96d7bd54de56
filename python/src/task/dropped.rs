//! Drop of a task, and the warning about one that nobody has asked for.

use pyo3::prelude::*;

use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::defer_drop;
use crate::ffi::gil_cell::TakeState;
use crate::ffi::interpreter;
use crate::ffi::raised_error::RaisedError;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::imports;
use crate::task::async_task::{AsyncTask, Demand, Task, bound_or_none};
use crate::task::body::Body;

impl Drop for Task {
    fn drop(&mut self) {
        if self.steps == 0 && matches!(self.body, Body::Generator(_) | Body::Call) {
            never_started(self);
        }
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

/// Warns of a task that is dropped before its first step, if nobody has asked for its value. Closes its
/// coroutine, of which the interpreter would warn.
#[cold]
fn never_started(task: &Task) {
    if !interpreter::is_running() {
        return;
    }
    let _ = Python::try_attach(|py| {
        let raised = RaisedError::set_aside(py);
        if let Body::Generator(generator) = &task.body
            && is_coroutine(generator.get().bind(py))
            && let Err(error) = generator.get().call_method0(py, pyo3::intern!(py, "close"))
        {
            error.write_unraisable(py, None);
        }
        // They were not forgotten, but this one.
        task.args.for_each(py, |arg| {
            if let Ok(task) = arg.cast::<AsyncTask>() {
                task.state().demand = Demand::Asked;
            }
        });
        if task.demand != Demand::Never || raised.is_some() || creator_has_failed(py, task) {
            return;
        }
        let function = bound_or_none(py, task.function.as_ref());
        let place = task.rare.as_ref().and_then(|rare| rare.created_in.as_ref());
        let warned = imports::warn_of_drop(py).and_then(|warn| warn.call1((&function, place)));
        if let Err(error) = warned {
            error.write_unraisable(py, Some(&function));
        }
    });
}

/// Returns whether the task that made this one has failed, or is gone: then this one was not forgotten.
fn creator_has_failed(py: Python<'_>, task: &Task) -> bool {
    let Some(creator) = &task.creator else { return false };
    let creator = creator.bind(py).upgrade();
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
