//! The context variables (`contextvars`) of tasks.
//!
//! # Note: the variables of a task
//!
//! A task runs in a copy of the context in which it was made, and what it sets stays there. A synchronous
//! call runs *in place*: in the context of its caller, as a plain function does.
//!
//! Hardly any task sets a variable, so contexts are copied late:
//!
//! - The first task that is made in a call takes a *snapshot* of the context. Those that are made while the
//!   variables are the same have the same snapshot. That of the outermost call is not even noted in the
//!   tasks.
//! - Tasks of one snapshot run in one copy of it, the *shared* context, which is not left between them.
//! - A task that has set a variable keeps the shared context as its own, and the others get another copy.
//!
//! So a task costs two comparisons of tables when it runs, and one when it is made.
//!
//! Scopes (overrides of scoped values, requests) are in a variable, too, but follow the chains of contexts
//! of the engine, as they do in the original: a task sees those of the task that awaits it first, wherever
//! it was made. So the scheduler takes that variable from task to task (`active_scopes`). On an event loop
//! it takes along only what tasks have entered: its tasks belong to several requests, whose own scopes
//! are in the snapshots.

use std::cell::{Cell, RefCell};

use pyo3::prelude::*;

use crate::ffi::context_vars::{Context, Table, current_table};
use crate::ffi::gil_cell::TakeState;
use crate::future::base::FutureBase;
use crate::scheduler::active_scopes::{self, ActiveScopes, Driver};
use crate::scheduler::snapshots::Snapshots;
use crate::scopes;
use crate::task::async_task::AsyncTask;

/// State of the variables in one scheduler.
#[derive(Default)]
pub(crate) struct Variables {
    pub(crate) snapshots: Snapshots,
    scopes: ActiveScopes,
    /// The shared context that was entered last in the innermost call.
    shared: RefCell<Option<Shared>>,
    /// Address of the snapshot of the tasks that may run as this thread is: it is in their context. 0 if it
    /// is in none, and [`OUTERMOST`] for tasks of the outermost call.
    inside: Cell<usize>,
    /// Table of that context before a task runs in it.
    table: Cell<Option<Table>>,
    /// Address of the task that runs in place: the called one.
    in_place: Cell<usize>,
}

/// Stands for the address of the snapshot of the outermost call.
const OUTERMOST: usize = 1;

/// The context of the tasks with the same snapshot that have set no variable.
struct Shared {
    /// `None` for the snapshot of the outermost call.
    snapshot: Option<Context>,
    context: Context,
}

impl Shared {
    fn number(&self) -> usize {
        number(self.snapshot.as_ref())
    }
}

/// Returns the address of a snapshot, or [`OUTERMOST`].
fn number(snapshot: Option<&Context>) -> usize {
    snapshot.map_or(OUTERMOST, Context::address)
}

/// The context in which code of a task runs.
#[must_use]
pub(crate) enum Place {
    /// Context of all tasks with the same snapshot.
    Shared,
    Own(Context),
    /// Context of the caller.
    OfCaller,
}

impl Variables {
    /// Begins a synchronous call. `in_place` is its task, if that runs in the context of the caller.
    pub(crate) fn begin_call<'a>(
        &'a self,
        py: Python<'a>,
        in_place: Option<&Bound<'a, AsyncTask>>,
    ) -> CallVariables<'a> {
        self.begin(py, in_place, Driver::Call)
    }

    /// Begins a drive by an event loop, when no context of a task is active.
    pub(crate) fn begin_drive<'a>(&'a self, py: Python<'a>) -> CallVariables<'a> {
        self.begin(py, None, Driver::EventLoop)
    }

    fn begin<'a>(
        &'a self,
        py: Python<'a>,
        in_place: Option<&Bound<'a, AsyncTask>>,
        driver: Driver,
    ) -> CallVariables<'a> {
        let outer = Outer {
            shared: self.shared.take(),
            inside: self.inside.replace(0),
            table: self.table.take(),
            in_place: self.in_place.replace(in_place.map_or(0, address)),
            scopes: self.scopes.begin(py, driver),
        };
        CallVariables { variables: self, py, outer: Some(outer) }
    }

    /// Enters the context of a task, whose code runs next.
    #[inline]
    pub(crate) fn enter(&self, task: &Bound<'_, AsyncTask>) -> Place {
        let snapshot = {
            let state = task.state();
            let has_own = state.rare.as_ref().is_some_and(|rare| rare.variables.is_some());
            if has_own { 0 } else { number(state.snapshot.as_ref()) }
        };
        let is_there = snapshot == self.inside.get() && snapshot != 0;
        let place = if is_there && self.in_place.get() != address(task) {
            Place::Shared
        } else {
            self.enter_another(task)
        };
        if scopes::are_used() {
            self.scopes.bring(task.py());
        }
        place
    }

    #[cold]
    fn enter_another(&self, task: &Bound<'_, AsyncTask>) -> Place {
        let py = task.py();
        self.exit(py);
        if self.in_place.get() == address(task) {
            return Place::OfCaller;
        }
        self.enter_own(task).or_else(|_| self.enter_shared(task)).unwrap_or_else(|error| {
            error.write_unraisable(py, Some(task));
            Place::OfCaller
        })
    }

    fn enter_own(&self, task: &Bound<'_, AsyncTask>) -> PyResult<Place> {
        let py = task.py();
        let own = {
            let state = task.state();
            let own = state.rare.as_ref().and_then(|rare| rare.variables.as_ref());
            own.map(|own| own.clone_ref(py))
        };
        let Some(own) = own else { return self.enter_shared(task) };
        own.enter(py)?;
        Ok(Place::Own(own))
    }

    fn enter_shared(&self, task: &Bound<'_, AsyncTask>) -> PyResult<Place> {
        let py = task.py();
        let snapshot = task.state().snapshot.as_ref().map(|snapshot| snapshot.clone_ref(py));
        let number = number(snapshot.as_ref());
        let known = self.shared.take().filter(|shared| shared.number() == number);
        let shared = if let Some(shared) = known {
            shared
        } else {
            let context = match &snapshot {
                Some(snapshot) => snapshot.copy(py)?,
                None => self.snapshots.copy_outermost(py)?,
            };
            Shared { snapshot, context }
        };
        shared.context.enter(py)?;
        self.table.set(Some(shared.context.table(py)));
        self.shared.replace(Some(shared));
        self.inside.set(number);
        Ok(Place::Shared)
    }

    /// Enters the context of a task in which it has entered an `AsyncContext`, to pause or resume that.
    pub(crate) fn enter_for_context(&self, task: &Bound<'_, AsyncTask>) -> Place {
        if task.header().running.get() {
            // It waits for the call that runs, and nobody can be in its context twice.
            self.exit(task.py());
            if scopes::are_used() {
                self.scopes.bring(task.py());
            }
            return Place::OfCaller;
        }
        self.enter(task)
    }

    /// Leaves the context of a task, whose code has run.
    #[inline]
    pub(crate) fn leave(&self, task: &Bound<'_, AsyncTask>, place: Place) {
        let is_unchanged =
            matches!(place, Place::Shared) && self.table.get() == Some(current_table(task.py()));
        if !is_unchanged || scopes::are_used() || self.scopes.driver() == Driver::Nothing {
            self.leave_changed(task, place, is_unchanged);
        }
    }

    /// Returns whether the code of a task, which has run until it waits, can be left by going to that of
    /// another one ([`enter`](Self::enter)), because it has set no variable.
    #[inline]
    pub(crate) fn can_be_left(&self, task: &Bound<'_, AsyncTask>) -> bool {
        let (has_own, number) = {
            let state = task.state();
            let has_own = state.rare.as_ref().is_some_and(|rare| rare.variables.is_some());
            (has_own, number(state.snapshot.as_ref()))
        };
        let is_shared = !has_own
            && self.inside.get() == number
            && self.table.get() == Some(current_table(task.py()));
        self.scopes.driver() == Driver::Call
            && !scopes::are_used()
            && (is_shared || (self.in_place.get() == address(task) && self.inside.get() == 0))
    }

    /// Enters the context of a task again that was left for another one.
    #[inline]
    pub(crate) fn return_to(&self, task: &Bound<'_, AsyncTask>) {
        // It is the same place, and whoever has entered it first leaves it.
        let _ = self.enter(task);
    }

    #[cold]
    fn leave_changed(&self, task: &Bound<'_, AsyncTask>, place: Place, is_unchanged: bool) {
        let py = task.py();
        if scopes::are_used() {
            self.scopes.note(py);
        }
        match place {
            Place::Shared if is_unchanged => {}
            Place::Shared => self.detach(task),
            Place::Own(own) => drop(own.exit(py)),
            Place::OfCaller => {}
        }
        if self.scopes.driver() == Driver::Nothing {
            self.exit(py);
        }
    }

    /// Gives the shared context to a task that has set a variable in it.
    #[cold]
    fn detach(&self, task: &Bound<'_, AsyncTask>) {
        self.exit(task.py());
        let Some(shared) = self.shared.take() else { return };
        if FutureBase::is_pending(task.as_super()) {
            AsyncTask::no_leaf(task);
            let before = task.state().rare().variables.replace(shared.context);
            drop(before);
        }
    }

    /// Leaves the shared context, if this thread is in it: other code than that of tasks runs next.
    #[inline]
    pub(crate) fn exit(&self, py: Python<'_>) {
        if self.inside.replace(0) != 0
            && let Some(shared) = &*self.shared.borrow()
        {
            // It fails only if code of the user has entered a context and not left it.
            drop(shared.context.exit(py));
        }
    }
}

fn address(task: &Bound<'_, AsyncTask>) -> usize {
    task.as_ptr() as usize
}

/// State of the call around a call.
struct Outer {
    shared: Option<Shared>,
    inside: usize,
    table: Option<Table>,
    in_place: usize,
    scopes: active_scopes::Outer,
}

/// The variables in one synchronous call. Dropping this ends it.
pub(crate) struct CallVariables<'a> {
    variables: &'a Variables,
    py: Python<'a>,
    outer: Option<Outer>,
}

impl Drop for CallVariables<'_> {
    fn drop(&mut self) {
        let variables = self.variables;
        variables.exit(self.py);
        let Some(outer) = self.outer.take() else { return };
        variables.inside.set(outer.inside);
        variables.table.set(outer.table);
        variables.in_place.set(outer.in_place);
        if variables.scopes.driver() == Driver::EventLoop {
            variables.snapshots.clear(); // Nothing of a request is held between drives.
        }
        variables.scopes.end(outer.scopes);
        let before = variables.shared.replace(outer.shared);
        drop(before);
    }
}
