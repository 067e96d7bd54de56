//! Snapshots of context variables, with which tasks start; see
//! [`variables`](crate::scheduler::variables).

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::ffi::context_vars::{Context, Table, current_table};
use crate::ffi::gil_cell::TakeState;
use crate::ffi::interpreter::attached;
use crate::task::async_task::AsyncTask;

/// The variables of a context at one time. Nobody enters the copy.
struct Snapshot {
    copy: Context,
    table: Table,
}

impl Snapshot {
    fn take(py: Python<'_>) -> PyResult<Self> {
        let copy = Context::copy_current(py)?;
        let table = copy.table(py);
        Ok(Self { copy, table })
    }
}

/// The snapshots of tasks that were made in the outermost call.
#[derive(Default)]
pub(crate) struct Snapshots {
    /// Snapshot of the outermost call. Its tasks do not refer to it.
    outermost: RefCell<Option<Snapshot>>,
    /// Snapshot of the task that was made last with another one.
    latest: RefCell<Option<Snapshot>>,
}

impl Snapshots {
    /// Returns the snapshot for a task that `creator` makes now. `None` stands for that of the outermost
    /// call.
    #[inline]
    pub(crate) fn of_new_task(
        &self,
        py: Python<'_>,
        creator: Option<&Bound<'_, AsyncTask>>,
    ) -> PyResult<Option<Context>> {
        let table = current_table(py);
        match &*self.outermost.borrow() {
            Some(outermost) if outermost.table == table => return Ok(None),
            _ => {}
        }
        attached(py, || self.of_changed(py, creator, table))
    }

    #[cold]
    fn of_changed(
        &self,
        py: Python<'_>,
        creator: Option<&Bound<'_, AsyncTask>>,
        table: Table,
    ) -> PyResult<Option<Context>> {
        if let Some(latest) = &*self.latest.borrow()
            && latest.table == table
        {
            return Ok(Some(latest.copy.clone_ref(py)));
        }
        let snapshot = Snapshot::take(py)?;
        let Some(creator) = creator else { return Ok(Some(snapshot.copy)) };
        if self.outermost.borrow().is_none() && creator.state().snapshot.is_none() {
            self.outermost.replace(Some(snapshot));
            return Ok(None);
        }
        let copy = snapshot.copy.clone_ref(py);
        let before = self.latest.replace(Some(snapshot));
        drop(before);
        Ok(Some(copy))
    }

    /// Returns whether there are any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.outermost.borrow().is_some() || self.latest.borrow().is_some()
    }

    /// Forgets them, since the outermost call is over.
    pub(crate) fn clear(&self) {
        let before = (self.outermost.take(), self.latest.take());
        drop(before);
    }

    /// Notes the snapshot of the outermost call in a task that it leaves behind.
    pub(crate) fn keep(&self, task: &Bound<'_, AsyncTask>) {
        let copy = self.outermost(task.py());
        if task.state().snapshot.is_none() {
            AsyncTask::no_leaf(task);
            task.state().snapshot = copy;
        }
    }

    /// Makes a context with the variables of the outermost call.
    pub(crate) fn copy_outermost(&self, py: Python<'_>) -> PyResult<Context> {
        if let Some(known) = self.outermost(py) {
            return known.copy(py);
        }
        // The tasks were made in a call that is over.
        let snapshot = Snapshot::take(py)?;
        let copy = snapshot.copy.copy(py)?;
        let before = self.outermost.replace(Some(snapshot));
        drop(before);
        Ok(copy)
    }

    fn outermost(&self, py: Python<'_>) -> Option<Context> {
        self.outermost.borrow().as_ref().map(|outermost| outermost.copy.clone_ref(py))
    }
}
