//! Weak handles to tasks.

use std::cell::Cell;

use pin_weak::rc::PinWeak;

use super::computation::{BodyOf, Computation};
use super::handle::AsyncTask;
use crate::error::TaskError;

/// Weak handle to a task: it can be upgraded while the task is pending, and does not keep the task
/// from being cancelled.
pub(crate) struct WeakTask<T> {
    cell: PinWeak<Computation<dyn BodyOf<T>>>,
}

impl<T: Clone + 'static> WeakTask<T> {
    pub(crate) fn of(task: &AsyncTask<T>) -> Self {
        // As when the task is cloned: from now on there may be several handles.
        task.clone_value.set(Some(T::clone));
        Self { cell: PinWeak::downgrade(task.cell.clone()) }
    }

    /// Returns whether the task has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        // A task without handles is about to end.
        self.cell.upgrade().is_some_and(|cell| !cell.is_computed() && cell.handles.get() > 0)
    }

    /// Returns a handle to the task, unless it has ended.
    pub(crate) fn upgrade(&self) -> Option<AsyncTask<T>> {
        if !self.is_pending() {
            return None;
        }
        let cell = self.cell.upgrade()?;
        cell.handles.set(cell.handles.get() + 1);
        Some(AsyncTask { cell, clone_value: Cell::new(Some(T::clone)) })
    }

    /// Returns the failure of a task that has failed, or is about to.
    pub(crate) fn failure(&self) -> Option<TaskError> {
        self.cell.upgrade()?.failure()
    }

    /// Returns whether the body of the task is calling this, at any depth.
    pub(crate) fn is_running(&self) -> bool {
        self.cell.upgrade().is_some_and(|cell| cell.is_polled())
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.cell.ptr_eq(&other.cell)
    }
}

impl<T> Clone for WeakTask<T> {
    fn clone(&self) -> Self {
        Self { cell: self.cell.clone() }
    }
}
