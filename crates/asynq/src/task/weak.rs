//! Tasks that are known of, and not kept.

use std::cell::Cell;

use pin_weak::rc::PinWeak;

use super::AsyncTask;
use crate::task::computation::{BodyOf, Computation};

/// A task that others may share as long as somebody wants its value: unlike a handle, this does
/// not keep it from being cancelled.
pub(crate) struct WeakTask<T> {
    cell: PinWeak<Computation<dyn BodyOf<T>>>,
}

impl<T: Clone + 'static> WeakTask<T> {
    pub(crate) fn of(task: &AsyncTask<T>) -> Self {
        // Like a clone of the task: there may be several handles from now on.
        task.clone_value.set(Some(T::clone));
        Self { cell: PinWeak::downgrade(task.cell.clone()) }
    }

    /// Whether the task has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        // One without handles is about to end.
        self.cell.upgrade().is_some_and(|cell| !cell.is_computed() && cell.handles.get() > 0)
    }

    /// A handle to the task, unless it has ended.
    pub(crate) fn upgrade(&self) -> Option<AsyncTask<T>> {
        if !self.is_pending() {
            return None;
        }
        let cell = self.cell.upgrade()?;
        cell.handles.set(cell.handles.get() + 1);
        Some(AsyncTask { cell, clone_value: Cell::new(Some(T::clone)) })
    }

    /// Whether this is called, at whatever depth, by the body of the task.
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
