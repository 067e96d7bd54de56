//! The end of the object of a task, and the warning about one that nobody has asked for.

use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::ffi::context_vars::Context;
use crate::ffi::deferred_drop::release;
use crate::ffi::gil_cell::{GilCell, TakeState};
use crate::ffi::interpreter;
use crate::ffi::object_memory::{HotClass, Recycled, Spare};
use crate::ffi::raised_error::RaisedError;
use crate::ffi::resume::is_coroutine;
use crate::future::base::FutureBase;
use crate::imports;
use crate::task::async_task::{AsyncTask, Demand, Flags, Rare, Task, bound_or_none};
use crate::task::body::Body;

impl HotClass for AsyncTask {
    type Base = FutureBase;

    #[inline]
    fn give_up(self, py: Python<'_>) {
        self.0.into_inner().give_up(py);
    }
}

impl Recycled for AsyncTask {
    fn spare() -> &'static Spare {
        static SPARE: Spare = Spare::new();
        &SPARE
    }

    #[inline]
    fn finalize(&self, py: Python<'_>) {
        finalize(py, &self.0);
    }
}

impl Task {
    /// Gives up everything, however long the chain of tasks that hangs on it.
    #[inline]
    pub(crate) fn give_up(self, py: Python<'_>) {
        let Self { body, function, args, creator, waiting, snapshot, rare } = self;
        body.release(py);
        args.release(py);
        release(py, function);
        release(py, creator);
        release(py, waiting);
        release(py, snapshot.map(Context::into_object));
        if let Some(rare) = rare {
            (*rare).give_up(py);
        }
    }
}

impl Rare {
    fn give_up(self, py: Python<'_>) {
        release(py, self.variables.map(Context::into_object));
        release(py, self.creator);
        release(py, self.kept);
        release(py, self.flushes);
        release(py, self.loop_task);
        release(py, self.name);
        release(py, self.created_in);
        release(py, self.perf_stats);
        for entered in self.contexts {
            release(py, Some(entered.context));
        }
    }
}

/// Warns of a task that goes before its first step, if nobody has asked for its value.
#[inline]
pub(crate) fn finalize(py: Python<'_>, cell: &GilCell<Task, Flags>) {
    let is_new = cell.header(py).steps.get() == 0
        && matches!(cell.take(py).body, Body::Generator(_) | Body::Call);
    if is_new {
        never_started(py, cell);
    }
}

/// Does the same for a new task, and closes its coroutine, of which the interpreter would warn.
#[cold]
fn never_started(py: Python<'_>, cell: &GilCell<Task, Flags>) {
    if !interpreter::is_running() {
        return;
    }
    let raised = RaisedError::set_aside(py);
    // It may be finalised again: as an object of a subclass, which somebody has kept alive.
    let demand = cell.header(py).demand.replace(Demand::Asked);
    let (coroutine, function, args, creator, place) = {
        let task = cell.take(py);
        let coroutine = match &task.body {
            Body::Generator(generator) => Some(generator.get().bind(py).clone()),
            _ => None,
        };
        (
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
    args.for_each(py, &mut |arg| {
        if let Ok(task) = arg.cast::<AsyncTask>() {
            task.header().demand.set(Demand::Asked);
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
    !creator.header().running.get() && matches!(creator.state().body, Body::Ended)
}
