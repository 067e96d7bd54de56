//! The calls that are being polled in place.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use crate::call_stack::{CallInPlace, Creator, Site};
use crate::waiting_calls::{Waiting, WaitingCalls, WaitingId};

/// The calls that are being polled in place.
#[derive(Default)]
pub(super) struct CallsInPlace {
    /// The innermost is last.
    pub(super) calls: RefCell<Vec<InPlace>>,
    /// Number of `calls`.
    pub(super) len: Cell<usize>,
    /// Number of calls that the code which runs now is not part of.
    pub(super) outer: Cell<usize>,
    /// The calls that wait, of the polls that are in progress. An inner call is before the one around it.
    waiting: RefCell<Vec<CallInPlace>>,
    /// Number of `waiting`.
    waiting_len: Cell<usize>,
    /// The lists of calls that have waited.
    lists: RefCell<WaitingCalls>,
}

pub(super) struct InPlace {
    pub(super) site: &'static Site,
    pub(super) at: &'static Location<'static>,
    /// The code around it, as a creator, once something was created.
    pub(super) caller: Option<Rc<Creator>>,
}

/// Guard of code that is not part of the calls around it: the poll of a task, the drive of a frame.
pub(super) struct Apart<'s> {
    calls: &'s CallsInPlace,
    outer: usize,
    waiting: usize,
}

impl CallsInPlace {
    /// Adds a call inside of the others. Returns its index.
    #[inline(always)]
    pub(super) fn push(&self, call: InPlace) -> usize {
        let index = self.len.get();
        self.calls.borrow_mut().push(call);
        self.len.set(index + 1);
        index
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<InPlace> {
        let call = self.calls.borrow_mut().pop()?;
        self.len.set(self.len.get() - 1);
        Some(call)
    }

    pub(super) fn remove(&self, index: usize) -> InPlace {
        self.len.set(self.len.get() - 1);
        self.calls.borrow_mut().remove(index)
    }

    /// Returns the number of calls that the code which runs now is part of.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.len.get() - self.outer.get()
    }

    /// Notes that a call waits.
    #[inline]
    pub(super) fn push_waiting(&self, call: CallInPlace) {
        self.waiting.borrow_mut().push(call);
        self.waiting_len.set(self.waiting_len.get() + 1);
    }

    /// Returns a list of calls that have waited.
    pub(super) fn waiting(&self, id: WaitingId) -> Waiting {
        self.lists.borrow().get(id).cloned().unwrap_or_default()
    }

    /// Begins a poll that may be part of the calls which are being polled.
    #[inline]
    pub(super) fn mark(&self) -> Apart<'_> {
        Apart { calls: self, outer: self.outer.get(), waiting: self.waiting_len.get() }
    }

    /// Begins code that is not part of the calls which are being polled.
    #[inline]
    pub(super) fn apart(&self) -> Apart<'_> {
        let outer = self.outer.replace(self.len.get());
        Apart { calls: self, outer, waiting: self.waiting_len.get() }
    }
}

impl Apart<'_> {
    /// Returns whether calls wait, of the poll of a task that has ended.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        self.calls.waiting_len.get() > self.waiting
    }

    /// Removes the calls that wait. Returns their list.
    pub(super) fn take_waiting(&self, is_alone: bool) -> WaitingId {
        let mut waiting = self.calls.waiting.borrow_mut();
        let id = self.calls.lists.borrow_mut().id(&waiting[self.waiting..], is_alone);
        waiting.truncate(self.waiting);
        self.calls.waiting_len.set(self.waiting);
        id
    }
}

impl Drop for Apart<'_> {
    #[inline]
    fn drop(&mut self) {
        self.calls.outer.set(self.outer);
    }
}
